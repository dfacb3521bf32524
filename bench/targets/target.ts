/** The parameters of a target. */
export interface TargetContext {
  readonly port: number;
  readonly supergraphFile: string;
  readonly subgraphUrls: Readonly<Record<string, string>>;
  /** Whether client requests may share subgraph calls, as far as the target does so by default. */
  readonly sharing: boolean;
  /** Whether the target must send the client's `authorization` to the subgraphs. */
  readonly forwardsAuthorization?: boolean;
  /** A directory for the target's files. */
  readonly directory: string;
}

export interface TargetProgram {
  /** The executable; by default, the Node of the benchmark, with the flags that all targets get. */
  readonly executable?: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The path of the target's GraphQL endpoint. */
  readonly path: string;
}

export interface Target {
  readonly name: string;
  /** `floor`: a hand-written lower bound; `peer`: another gateway; `subject`: Tributary. */
  readonly role: 'floor' | 'peer' | 'subject';
  /** The path that responds with status 200 when the target is ready. By default, an operation must succeed. */
  readonly readyPath?: string;
  /** Whether its requests have no `@defer`. */
  readonly isPlain?: boolean;
  /** Whether it may use all cores, and not only its own. */
  readonly usesAllCores?: boolean;
  program(context: TargetContext): TargetProgram;
}

/** The path of a file relative to this folder. */
export function pathFromTargets(relative: string): string {
  return new URL(relative, import.meta.url).pathname;
}
