import type { DocumentNode } from 'graphql';
import type { Authentication } from './admission/authentication/authentication.ts';
import type { GatewayConfig } from './config/schema.ts';
import type { ExecutionObserver } from './execution/executionObserver.ts';
import type { FetchSender } from './execution/fetchSender.ts';
import type { RequestContext } from './execution/requestContext.ts';
import type { PolicyRequest } from './operation/authorization/authorizer.ts';
import type { OperationRequest } from './operation/operationRequest.ts';
import type { PreparedOperation } from './operation/preparedOperation.ts';
import type { SubgraphCallEvent } from './subgraphs/httpSubgraphClient.ts';
import type { SendPolicy } from './subgraphs/subgraphClient.ts';
import type { SubgraphEndpoint } from './subgraphs/subgraphPools.ts';
import type { AccessOfAddress } from './supergraph/sources/fetchSubgraphSdl.ts';
import type { Supergraph } from './supergraph/supergraph.ts';
import type { SupergraphHolder } from './supergraph/supergraphHolder.ts';
import type { Logger } from './telemetry/logger.ts';
import type { Metrics } from './telemetry/metrics.ts';
import type { Tracing } from './telemetry/trace.ts';
import type { Timers } from './time/timers.ts';
import type { UnreadyReason } from './transport/http/healthRoutes.ts';
import type { Routes } from './transport/http/routes.ts';

/** A part of the gateway that extends the request path without being a stage of it, such as the cache or the contract
 *  guard. A feature is one folder with one entry file that implements this interface; `createGateway` lists them.
 *  Members are listed in the order in which they are called. */
export interface Feature {
  /** Reads the feature's directives in a supergraph that is being loaded, and checks that names in the configuration
   *  exist. Must not change the feature's state: another feature may still refuse the supergraph. */
  readSupergraph?(reading: SupergraphReading): SupergraphFindings | undefined;
  /** Decides whether a supergraph without problems may replace `previous`.
   *  @throws {SupergraphRefusedError} with the reason for the operator. */
  admitSupergraph?(next: Supergraph, previous: Supergraph | undefined, signal: AbortSignal): Promise<void>;
  /** Called when new operations use this supergraph. Must not throw. */
  onSupergraph?(supergraph: Supergraph): void;

  /** Decides policies of `@policy`: returns the granted ones among `request.policies`. Called once for each operation that
   *  has any. A policy is granted if one feature grants it. If one rejects, the request fails with its error. */
  decidePolicies?(request: PolicyRequest): Promise<readonly string[]>;
  /** A policy around every request to a subgraph. The first feature of the list is the outermost. Read once. */
  readonly sendPolicy?: SendPolicy | undefined;
  /** Called when a call of a subgraph has ended. Must not throw or block. */
  onCall?(event: SubgraphCallEvent): void;
  /** Wraps what fetches the data of operations on one supergraph. Called once for each supergraph. */
  decorateFetches?(fetches: FetchSender, supergraph: Supergraph): FetchSender;
  /** Returns what observes the execution of a prepared operation; `undefined` for nothing. Must not throw or block. */
  observeExecution?(
    operation: PreparedOperation,
    context: RequestContext,
    origin: ExecutionOrigin,
  ): ExecutionObserver | undefined;
  /** Called before each prepared operation is executed. Must not throw or block. */
  onOperation?(request: OperationRequest): void;

  /** `draining` is aborted when the gateway stops accepting requests. */
  addPublicRoutes?(routes: Routes, draining: AbortSignal): void;
  /** The id in the URL of one of the public routes, created by `FeatureContext.newId`. With several workers, the worker that
   *  created the id handles the request. */
  resourceIdOf?(url: string): string | undefined;
  /** `draining`: as above. */
  addAdminRoutes?(routes: Routes, draining: AbortSignal): void;
  /** Called when the public listener accepts connections. `baseUrl` ends with `/`. */
  onListening?(baseUrl: string): void;
  /** Why the gateway should get no requests at present. */
  readonly unreadyReasons?: readonly UnreadyReason[];
  /** Problems that operators should see on `/health/ready` although the gateway can serve requests. */
  readonly readinessNotes?: readonly UnreadyReason[];

  /** Resolves when clients need nothing more from this process once their requests have ended. The public listener
   *  keeps accepting connections until then. */
  drain?(): Promise<void>;
  /** Ends background tasks. Subgraphs can still be called. `withinMs`: how long running tasks may take to finish. */
  stop?(withinMs: number): Promise<void>;
  /** Releases connections and memory, after everything that uses the feature has ended. `withinMs`: how long that may take. */
  close?(withinMs: number): Promise<void>;
}

/** Why an operation is executed. */
export interface ExecutionOrigin {
  readonly request: OperationRequest;
  /** When the request began, or the event of a subscription, on `performance.now()`'s clock. `undefined` for a job, which
   *  continues an execution. */
  readonly startedAt: number | undefined;
  /** The request joins the execution of an equal one: no steps are reported, only its response. */
  readonly isJoined?: boolean;
}

export interface SupergraphReading {
  readonly supergraph: Supergraph;
  /** The SDL without locations, parsed once for all features. */
  readonly document: DocumentNode;
}

export interface SupergraphFindings {
  /** Reasons to refuse the supergraph, such as a directive with an invalid argument. */
  readonly problems?: readonly string[];
  /** Names that the configuration has and the supergraph lacks, each after its configuration path. The first supergraph
   *  is refused for them, because the operator made a mistake; for a later one they are logged, because the graph
   *  changed and must not be held back. */
  readonly unknownNames?: readonly string[];
  /** Findings to log as warnings. */
  readonly warnings?: readonly string[];
  /** Stores what was read, when no feature found a reason to refuse. Returns the supergraph to use instead, if the
   *  feature extends the API schema. Features later in the list get the extended one. */
  attach?(supergraph: Supergraph): Supergraph | undefined;
}

/** What `createGateway` gives to every feature. */
export interface FeatureContext {
  readonly config: GatewayConfig;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'registry'>;
  readonly timers: Timers;
  /** Milliseconds since 1970. */
  now(): number;
  readonly supergraphs: SupergraphHolder;
  /** The URL of a subgraph and the policy for calling it. */
  endpointOf(subgraph: string): SubgraphEndpoint;
  /** How the schema of a subgraph is fetched: with the headers, certificates and signature of its operations. */
  readonly schemaAccessOf: AccessOfAddress;
  /** Counts a stream of a client as open (`RequestContext.clientKey`). `weight`: as how many it counts; 1 when omitted.
   *  Returns a function that ends it.
   *  @throws {GatewayError} `OVERLOADED` beyond the limits. */
  openStream(clientKey: string, weight?: number): () => void;
  /** For requests that are not operations. Operations have a `RequestContext`. */
  readonly authentication: Authentication;
  /** Client headers that decide whose private values a request may read, for `Vary`: `*` if the application decides, because
   *  what it reads cannot be named. */
  readonly identityHeaders: readonly string[];
  /** `undefined` if tracing is off. */
  readonly tracing?: Tracing | undefined;
  /** Makes an unguessable id that names this worker, where several share the port. */
  newId(): string;
}
