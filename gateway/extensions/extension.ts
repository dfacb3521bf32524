import type { DocumentNode, GraphQLFormattedError, GraphQLSchema } from 'graphql';

type MaybePromise<Value> = Value | Promise<Value>;
// biome-ignore lint/suspicious/noConfusingVoidType: functions without a return statement are hooks, too.
type HookResult<Value> = MaybePromise<Value | void>;
/** The result of a synchronous hook. The compiler would accept functions that return promises for `void` alone. */
// biome-ignore lint/suspicious/noConfusingVoidType: functions without a return statement are hooks, too.
type NoResult = void | undefined;
type Values = Readonly<Record<string, unknown>>;

/** Code of the user that takes part in every request. All members but `name` are optional; one that is omitted costs
 *  nothing. Extensions are called in the order of their list, each after the one before it has finished.
 *
 *  A hook of a request that throws a `RequestRefusedError` refuses the request with that error. One that throws anything
 *  else fails the request with `EXTENSION_FAILED`; the log has the cause. Hooks may return promises unless they say that
 *  they are synchronous. `Context`: what `requestContext` returns. */
export interface Extension<Context extends object = Values> {
  /** Names the extension in errors and in the log. Unique among the extensions of a gateway. */
  readonly name: string;

  /** Called for each valid operation, before it is planned. The own properties of what it returns are added to
   *  `request.context`, which all later hooks see, also those of other extensions. Bounded by the deadline of the request. */
  requestContext?(request: ClientOperation): HookResult<Context>;
  /** Changes the headers that a subgraph gets for this request, after those of the configuration. Called once for each
   *  request and subgraph of its plan, before anything is fetched. The headers are part of what makes two calls equal,
   *  and of cache keys: requests with different headers share nothing. Synchronous. */
  subgraphHeaders?(event: SubgraphHeadersEvent<Context>): NoResult;
  /** Called before an operation is executed, whether its plan is new or from the cache. */
  onPlan?(event: PlanEvent<Context>): MaybePromise<void>;
  /** Called before each HTTP request to a subgraph, retries and hedges included. Requests of several clients may share it,
   *  so that it knows none of them: for signatures and tracing, not for what may change the answer. */
  onSubgraphRequest?(request: SubgraphHttpRequest): MaybePromise<void>;
  /** Called for each HTTP response of a subgraph, before it is shared and cached. Returns a result to use instead, or
   *  `undefined`. What it returns must depend on the response alone, because other requests may get it, too. */
  onSubgraphResponse?(response: SubgraphHttpResponse): HookResult<SubgraphResult>;
  /** Called before the one response to an operation is sent. Returns keys to add to its `extensions`, or `undefined`. Not
   *  called for an operation that is not valid, or that `requestContext` has refused. */
  onResponse?(event: ResponseEvent<Context>): HookResult<Values>;
  /** Called before each payload of a response in several payloads is sent: deferred fragments and subscriptions. */
  onPayload?(event: PayloadEvent<Context>): MaybePromise<void>;
  /** Decides which policies of `@policy` the request satisfies. Returns their names. A policy that no extension grants is
   *  denied. */
  decidePolicies?(request: PolicyRequest): MaybePromise<readonly string[]>;

  /** Called when a supergraph is loaded, before it is used. Throws to refuse it, with the reason as the message. A promise
   *  that takes longer than 60 s refuses it, too. */
  admitSupergraph?(supergraph: LoadedSupergraph): MaybePromise<void>;

  /** Routes of the public listener. */
  readonly publicRoutes?: readonly ExtensionRoute[];
  /** Routes of the admin listener. */
  readonly adminRoutes?: readonly ExtensionRoute[];
  /** Why the gateway should get no requests at present, for `GET /health/ready`; `undefined` if it may get some.
   *  Synchronous. */
  readiness?(): string | undefined;
  /** Called when everything that uses the extension has ended. An error is logged. Bounded by what is left of
   *  `listen.drainTimeout`, and at least a second of it. */
  close?(): MaybePromise<void>;
}

/** The default export of a module in `extensions`: an extension, or a function that creates one from its `options`. */
export type ExtensionFactory<Options = Values> = (
  options: Options,
  tools: ExtensionTools,
) => MaybePromise<Extension<object>>;

export interface ExtensionTools {
  /** The log of the gateway. Each line names the module. */
  readonly log: ExtensionLog;
}

/** `fields`: the variables of a line. `message`: a fixed text. A field with the name of one that each line has (`level`,
 *  `time`, `msg`, `extension`) gets an underscore: `level_`. */
export interface ExtensionLog {
  debug(fields: Values, message: string): void;
  info(fields: Values, message: string): void;
  warn(fields: Values, message: string): void;
  error(fields: Values, message: string): void;
}

/** A module to load an extension from, as in the configuration file. */
export interface ExtensionModule {
  /** A path, or the name of a package. */
  readonly module: string;
  readonly options?: Values | undefined;
}

/** An operation of a client. */
export interface ClientOperation {
  readonly requestId: string;
  /** The client's headers, with names in lower case. For a WebSocket: those of its handshake, and the parameters in
   *  `security.connectionParams`. */
  readonly headers: ReadonlyMap<string, string>;
  /** The payload of `connection_init`; `undefined` for a transport without it. */
  readonly connectionParams: Values | undefined;
  readonly transport: 'http' | 'websocket' | 'event-stream';
  readonly clientAddress: string | undefined;
  /** What the verified token of the client states; `undefined` without one. */
  readonly claims: Values | undefined;
  /** `undefined` for an anonymous operation. */
  readonly operationName: string | undefined;
  readonly operationType: 'query' | 'mutation' | 'subscription';
  /** Valid for the API schema. */
  readonly document: DocumentNode;
  /** As sent by the client. */
  readonly variables: Values;
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal;
  /** What `requestContext` of the extensions before this one returned. */
  readonly context: Values;
  /** Sets a header of the HTTP response, for example in `requestContext` or `onResponse`. Without effect once the response
   *  has begun, and on WebSockets. With `set-cookie`, the response is `private` for HTTP caches.
   *  @throws {TypeError} for a header that the gateway writes itself or that belongs to the connection, such as
   *  `content-type`, and for a name or value that no header can have. */
  setResponseHeader(name: string, value: string): void;
}

/** An operation with what `requestContext` returned. */
export type ClientOperationWith<Context extends object> = Omit<ClientOperation, 'context'> & {
  readonly context: Context & Values;
};

export interface SubgraphHeadersEvent<Context extends object = Values> {
  readonly subgraph: string;
  readonly headers: SubgraphHeaders;
  readonly request: ClientOperationWith<Context>;
}

/** The headers that a subgraph gets for a request. Names are compared in lower case. */
export interface SubgraphHeaders {
  get(name: string): string | undefined;
  /** @throws {TypeError} for a header that the gateway writes itself or that belongs to the connection, such as `host`, and
   *  for a value that no header can have. */
  set(name: string, value: string): void;
  delete(name: string): void;
  /** Name and value of each header. */
  entries(): IterableIterator<readonly [string, string]>;
}

export interface PlanEvent<Context extends object = Values> {
  readonly request: ClientOperationWith<Context>;
  /** The fetches from subgraphs, in an order in which they can be executed. Empty for introspection. */
  readonly fetches: readonly PlannedFetch[];
}

export interface PlannedFetch {
  readonly subgraph: string;
  /** The text of the operation for the subgraph. */
  readonly operation: string;
  /** Indices of the fetches that have to end first. */
  readonly dependsOn: readonly number[];
  /** The first response does not wait for it. */
  readonly isDeferred: boolean;
}

/** One HTTP request to a subgraph. */
export interface SubgraphHttpRequest {
  readonly subgraph: string;
  readonly url: string;
  /** The exact text of the body. */
  readonly body: string;
  /** Of the client request that started the call; others may share it. */
  readonly requestId: string;
  readonly headers: ReadonlyMap<string, string>;
  /** Sets a header that does not change the answer. @throws {TypeError} as `SubgraphHeaders.set`. */
  setHeader(name: string, value: string): void;
}

/** One HTTP response of a subgraph. */
export interface SubgraphHttpResponse {
  readonly subgraph: string;
  readonly url: string;
  /** Of the client request that started the call; others may share it. */
  readonly requestId: string;
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** Parses the body. Resolves with `undefined` if it is not a GraphQL response. Each call returns a copy of its own:
   *  changes have no effect unless the hook returns it. */
  readResult(): Promise<SubgraphResult | undefined>;
}

export interface SubgraphResult {
  data?: Record<string, unknown> | null | undefined;
  errors?: readonly SubgraphResultError[] | undefined;
  extensions?: Record<string, unknown> | undefined;
}

export interface SubgraphResultError {
  readonly message: string;
  readonly path?: readonly (string | number)[] | undefined;
  readonly extensions?: Record<string, unknown> | undefined;
}

export interface ResponseEvent<Context extends object = Values> {
  readonly request: ClientOperationWith<Context>;
  /** As the client gets them; empty if there are none. */
  readonly errors: readonly GraphQLFormattedError[];
  /** Without those that extensions add. */
  readonly extensions: Values | undefined;
  /** Whether the operation was executed: then the response has `data`, which may be null. */
  readonly isExecuted: boolean;
}

export interface PayloadEvent<Context extends object = Values> {
  readonly request: ClientOperationWith<Context>;
  /** The payload as JSON. */
  readonly text: string;
  /** Number of the payload in its response, from 0. */
  readonly index: number;
}

export interface PolicyRequest {
  /** The policies that the operation needs. */
  readonly policies: readonly string[];
  readonly claims: Values | undefined;
  readonly headers: ReadonlyMap<string, string>;
  readonly requestId: string;
}

export interface LoadedSupergraph {
  /** Hexadecimal SHA-256 of the SDL. */
  readonly id: string;
  readonly sdl: string;
  /** The schema for clients. */
  readonly schema: GraphQLSchema;
  readonly subgraphs: readonly { readonly name: string; readonly url: string }[];
  /** The id of the supergraph that is in use until now; `undefined` for the first one. */
  readonly previousId: string | undefined;
  /** Aborted when the supergraph is not needed any more, because a newer one is loaded or the gateway closes. */
  readonly signal: AbortSignal;
}

/** A route of an extension, with the Fetch API's `Request` and `Response`. */
export interface ExtensionRoute {
  /** A route for `GET` handles `HEAD`, too, unless the extension has a route for it: the body is not sent then. */
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Such as `/tenants/:id` or `/files/*`, as Fastify has it. */
  readonly path: string;
  /** `params`: the values of the path's `:name` parts, and of a wildcard under `*`. The body is read before, up to
   *  `limits.bodySize`. `request.signal` is aborted when the client disconnects. */
  handle(
    request: Request,
    params: Readonly<Record<string, string>>,
    context: ExtensionRouteContext,
  ): MaybePromise<Response>;
}

export interface ExtensionRouteContext {
  /** Aborted when the gateway begins to drain: end a response that has no end of its own, so that its client connects to
   *  another process. All others may take `listen.drainTimeout`. */
  readonly draining: AbortSignal;
}

/** Returns the extension, with the types of its hooks. */
export function defineExtension<Context extends object = Values>(
  extension: Extension<Context>,
): Extension<Context> {
  return extension;
}

interface RefusalOptions {
  /** `extensions.code` of the error. */
  readonly code: string;
  /** HTTP status of the response, from 400 to 599. Where the error concerns some fields only, the response keeps status
   *  200. */
  readonly status: number;
  /** Further `extensions` of the error. */
  readonly extensions?: Values;
}

/** Thrown by a hook of a request to refuse it: the client gets the message, the code and the status. */
export class RequestRefusedError extends Error {
  readonly code: string;
  readonly status: number;
  readonly extensions: Values;

  constructor(message: string, { code, status, extensions = {} }: RefusalOptions) {
    super(message);
    this.name = 'RequestRefusedError';
    if (typeof code !== 'string') {
      throw new TypeError(`The code of a RequestRefusedError must be text, not ${typeof code}.`);
    }
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError(`The status of a RequestRefusedError must be from 400 to 599, not ${status}.`);
    }
    this.code = code;
    this.status = status;
    this.extensions = extensions;
  }
}
