/** The page's script, which the build puts into the code as text. */
declare const text: string;
export default text;
