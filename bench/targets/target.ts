/** What a target is started with. */
export interface TargetContext {
  readonly port: number;
  readonly supergraphFile: string;
  readonly subgraphUrls: Readonly<Record<string, string>>;
  /** Whether work may be shared between client requests, as far as the target does it by default. */
  readonly sharing: boolean;
  /** An own directory for the files that the target needs. */
  readonly directory: string;
}

/** Arguments of `node`, after its flags. */
export interface TargetProgram {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where the target answers operations. */
  readonly path: string;
}

export interface Target {
  readonly name: string;
  /** `floor`: a hand-written lower bound; `peer`: another gateway; `subject`: Tributary. */
  readonly role: 'floor' | 'peer' | 'subject';
  program(context: TargetContext): TargetProgram;
}

/** Path of a file given relative to this folder. */
export function pathFromTargets(relative: string): string {
  return new URL(relative, import.meta.url).pathname;
}
