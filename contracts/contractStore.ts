import type { DocumentNode } from 'graphql';
import type { FileLocation, Finding } from './finding.ts';
import type { RuleId } from './rules.ts';

/** The content of a contract store directory: what subgraphs and clients have agreed on. */
export interface ContractStore {
  /** The directory, as the user would write it. */
  readonly directory: string;
  /** The contract of each subgraph: the schema that its team has agreed to serve. */
  readonly schemas: Contracts;
  /** The operations that clients send. Operations that do not parse are in `problems` instead. */
  readonly operations: readonly ConsumerOperation[];
  readonly waivers: readonly Waiver[];
  readonly environments: readonly Environment[];
  /** Every mistake in the files, each with severity `misuse`. */
  readonly problems: readonly Finding[];
}

/** Contracts by subgraph name. */
export type Contracts = ReadonlyMap<string, SubgraphContract>;

export interface SubgraphContract {
  readonly name: string;
  /** URL of the subgraph for the composed supergraph; `http://<name>.invalid/` when the store does not say. */
  readonly url: string;
  /** The file of the SDL, as the user would write it. */
  readonly file: string;
  readonly sdl: string;
}

/** One operation of one consumer. A file may hold several operations, and fragments that they share. */
export interface ConsumerOperation {
  readonly consumer: string;
  readonly name: string;
  /** The operation and the fragments that it uses, nothing else. */
  readonly document: DocumentNode;
  readonly location: FileLocation;
  readonly slo: OperationSlo;
}

/** What the consumer relies on, from the `# @slo` lines above the operation: `# @slo latency: 200ms`, `# @slo
 *  staleness: 1m`, `# @slo mayDefer: Product.recommended, Product.reviews`. */
export interface OperationSlo {
  /** Milliseconds until the first response. Compared only when the duration of a fetch is known. */
  readonly latency?: number | undefined;
  /** Milliseconds that a value may be served after it stopped being fresh. */
  readonly staleness?: number | undefined;
  /** Coordinates of fields that may be deferred. Undefined: every field may. */
  readonly mayDefer?: readonly string[] | undefined;
  /** Location of the line with `mayDefer`. */
  readonly mayDeferLocation?: FileLocation | undefined;
}

/** Lets findings of one rule at one coordinate pass until a day. */
export interface Waiver {
  readonly rule: RuleId;
  /** The coordinate of the finding; see `Finding.coordinate` for findings about no part of the schema. */
  readonly coordinate: string;
  /** Restricts the waiver to changes of this subgraph. */
  readonly subgraph?: string | undefined;
  readonly reason: string;
  readonly owner: string;
  /** The last day of the waiver in UTC, such as `2027-01-31`. */
  readonly expires: string;
  readonly location: FileLocation;
}

/** Which versions run in an environment. A version is a Git revision of the store. */
export interface Environment {
  readonly name: string;
  /** The running versions by subgraph; several during a rollout. */
  readonly subgraphs: ReadonlyMap<string, readonly string[]>;
  /** The versions of the store that the supergraphs of running gateways were composed from. */
  readonly gateways: readonly string[];
  /** Configuration file of the gateways as a path from the store's directory, and where `environments.yaml` names it. */
  readonly gatewayConfig?: { readonly file: string; readonly location: FileLocation } | undefined;
  /** Milliseconds that one fetch takes in this environment. Undefined when operators do not say. */
  readonly stepLatencyMs?: number | undefined;
  readonly location: FileLocation;
}
