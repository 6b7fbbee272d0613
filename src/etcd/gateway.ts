// etcd's JSON gateway, which is on by default: its gRPC calls as POST requests.
// 64-bit numbers are strings there, keys and values base64.
// Source: https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/

import { leaseError } from "../errors/lease.ts";

export interface GatewayOptions {
  readonly endpoints: readonly string[];
  readonly fetch: typeof fetch;
  readonly headers: Readonly<Record<string, string>>;
}

/** Codes of gRPC with which asking again brings the same: PERMISSION_DENIED, UNAUTHENTICATED. */
const PERMANENT = new Set([7, 16]);

/** What a member has answered instead of a result. */
export class EtcdError extends Error {
  readonly grpc: number;

  constructor(grpc: number, message: string) {
    super(message);
    this.grpc = grpc;
  }
}

export class Gateway {
  readonly #options: GatewayOptions;
  #at = 0;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** Asks the member that answered last; where it does not, the next request goes to the next one. */
  async call<T>(path: string, body: object, limit: number): Promise<T> {
    const response = await this.#post(path, body, AbortSignal.timeout(Math.ceil(limit)));
    const text = await response.text();
    // A stream's first message is in "result".
    const { result, error, code, message } = JSON.parse(text.split("\n", 1)[0] as string) as {
      result?: T;
      error?: string | { grpc_code?: number; message?: string };
      code?: number;
      message?: string;
    };
    if (error === undefined && response.ok) return result ?? (JSON.parse(text) as T);
    const inStream = typeof error === "object" ? error : {};
    const grpc = code ?? inStream.grpc_code ?? 2;
    const why = message ?? inStream.message ?? (typeof error === "string" ? error : `status ${response.status}`);
    if (!PERMANENT.has(grpc)) {
      if (grpc === 14) this.#at += 1; // UNAVAILABLE: it has no leader, perhaps another one does
      throw new EtcdError(grpc, why);
    }
    const advice = "Pass headers with a token of a user who may write under the prefix.";
    throw Object.assign(leaseError("ERR_ATEXIT_ENGINE", "etcd", why, advice), { isPermanent: true });
  }

  /** Calls `seen` for each message of a stream after the first, until the signal fires. */
  async stream(path: string, body: object, signal: AbortSignal, seen: () => void): Promise<void> {
    const response = await this.#post(path, body, signal);
    let messages = 0;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      for (const byte of chunk) if (byte === 0x0a && (messages += 1) > 1) seen();
    }
  }

  async #post(path: string, body: object, signal: AbortSignal): Promise<Response> {
    const { endpoints, fetch, headers } = this.#options;
    const endpoint = (endpoints[this.#at % endpoints.length] as string).replace(/\/$/, "");
    try {
      return await fetch(`${endpoint}/v3/${path}`, { method: "POST", body: JSON.stringify(body), headers, signal });
    } catch (error) {
      this.#at += 1;
      throw (error as Error).cause ?? error;
    }
  }
}

export function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

export function fromBase64(text: string): string {
  return Buffer.from(text, "base64").toString();
}

/** Returns the endpoints in a text such as "http://a:2379,http://b:2379"; none in none. */
export function endpointsIn(text: string | undefined): string[] {
  return (text ?? "").split(/[\s,]+/).filter(Boolean);
}
