/** Time limits of connections (`listen.timeouts`), in milliseconds. */
export interface ListenerTimeouts {
  /** Time for the headers of a request to arrive. */
  readonly headers: number;
  /** Time for a whole request to arrive. At least `headers`. */
  readonly request: number;
  /** Time after which an idle connection is closed. */
  readonly keepAlive: number;
}
