/** An operation to execute. */
export interface Trial {
  readonly source: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}
