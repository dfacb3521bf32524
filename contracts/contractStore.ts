import type { DocumentNode } from 'graphql';
import type { FileLocation, Finding } from './finding.ts';
import type { RuleId } from './rules.ts';

/** What is agreed: the content of a `contracts` directory, read as a whole. */
export interface ContractStore {
  /** The directory, as the user would write it. */
  readonly directory: string;
  /** By subgraph name: what each team has agreed to serve. */
  readonly schemas: Contracts;
  /** What clients send. Those that do not parse are among the problems, not here. */
  readonly operations: readonly ConsumerOperation[];
  readonly waivers: readonly Waiver[];
  readonly environments: readonly Environment[];
  /** Everything that is wrong with the files; `misuse` each. */
  readonly problems: readonly Finding[];
}

/** Contracts by subgraph name. */
export type Contracts = ReadonlyMap<string, SubgraphContract>;

export interface SubgraphContract {
  readonly name: string;
  /** Where the subgraph is reached, for the composed supergraph; `http://<name>.invalid/` where nobody has said. */
  readonly url: string;
  /** The file that the SDL is from, as the user would write it. */
  readonly file: string;
  readonly sdl: string;
}

/** One operation of one consumer. A file may hold several, and fragments that they share. */
export interface ConsumerOperation {
  readonly consumer: string;
  readonly name: string;
  /** The operation with the fragments that it uses, and nothing else. */
  readonly document: DocumentNode;
  readonly location: FileLocation;
  readonly slo: OperationSlo;
}

/** What the consumer relies on, from `# @slo` lines above the operation:
 *  `# @slo latency: 200ms`, `# @slo staleness: 1m`, `# @slo mayDefer: Product.recommended, Product.reviews`. */
export interface OperationSlo {
  /** Milliseconds until the first answer. A check compares it where it is told how long a fetch takes. */
  readonly latency?: number | undefined;
  /** Milliseconds that a value may be older than its rule says it is fresh. */
  readonly staleness?: number | undefined;
  /** Coordinates that may come late; `undefined` where nothing is said: then all may. */
  readonly mayDefer?: readonly string[] | undefined;
  /** Of the line that says `mayDefer`. */
  readonly mayDeferLocation?: FileLocation | undefined;
}

/** Lets exactly one kind of finding pass at one coordinate, until a day. */
export interface Waiver {
  readonly rule: RuleId;
  /** Of the finding: see there for what is about no part of the schema. */
  readonly coordinate: string;
  /** Only for this subgraph's change, where named. */
  readonly subgraph?: string | undefined;
  readonly reason: string;
  readonly owner: string;
  /** The last day on which it holds: `2027-01-31`, UTC. */
  readonly expires: string;
  readonly location: FileLocation;
}

/** Which versions run where. A version is a Git revision of the store, in which the contract stands. */
export interface Environment {
  readonly name: string;
  /** By subgraph: the versions that run, more than one during a rollout. */
  readonly subgraphs: ReadonlyMap<string, readonly string[]>;
  /** The versions of the store that running gateways' supergraphs were composed from. */
  readonly gateways: readonly string[];
  /** The configuration of its gateways: a path from the store's directory, with where it is named. */
  readonly gatewayConfig?: { readonly file: string; readonly location: FileLocation } | undefined;
  /** Milliseconds that a fetch takes there, by what its operators know; `undefined` where they do not say. */
  readonly stepLatencyMs?: number | undefined;
  readonly location: FileLocation;
}
