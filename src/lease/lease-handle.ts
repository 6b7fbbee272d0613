// The handle of a lease, as programs have it. Types only.

/** A lease that this process has taken. */
export interface Lease extends AsyncDisposable {
  readonly name: string;
  /**
   * Grows with every acquisition of this name by anybody: give it to the resource
   * that the lease protects, which refuses a smaller one.
   */
  readonly token: bigint;
  /**
   * Fires when the lease is lost, a margin before anybody else can have it, or
   * released; its reason is a `LeaseLostError`. After a pause of this process it
   * may fire late: `isHeld()` does not.
   */
  readonly signal: AbortSignal;
  /** Milliseconds until it would be lost without another heartbeat. */
  readonly remaining: number;
  /** Reports whether it is held now. Looks at the clock, and so is right in the first line that runs after a pause. */
  isHeld(): boolean;
  /**
   * The line to put before each write.
   *
   * @throws a `LeaseLostError` where it is not held any more
   */
  throwIfLost(): void;
  /**
   * Gives it back; a second call does nothing. Where the engine cannot be reached,
   * this resolves after the first attempt, and it is given back with the heartbeats
   * or by time.
   */
  release(): Promise<void>;
}
