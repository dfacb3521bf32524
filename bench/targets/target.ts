/** The parameters of a target. */
export interface TargetContext {
  readonly port: number;
  readonly supergraphFile: string;
  readonly subgraphUrls: Readonly<Record<string, string>>;
  /** Whether client requests may share subgraph calls, as far as the target does so by default. */
  readonly sharing: boolean;
  /** A directory for the target's files. */
  readonly directory: string;
}

/** The arguments of `node`, after its flags. */
export interface TargetProgram {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The path of the target's GraphQL endpoint. */
  readonly path: string;
}

export interface Target {
  readonly name: string;
  /** `floor`: a hand-written lower bound; `peer`: another gateway; `subject`: Tributary. */
  readonly role: 'floor' | 'peer' | 'subject';
  program(context: TargetContext): TargetProgram;
}

/** The path of a file relative to this folder. */
export function pathFromTargets(relative: string): string {
  return new URL(relative, import.meta.url).pathname;
}
