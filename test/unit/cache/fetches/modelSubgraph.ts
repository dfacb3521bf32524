import { Kind, type OperationDefinitionNode, parse, type SelectionNode } from 'graphql';
import type { GatewayError } from '../../../../gateway/errors.ts';
import { setKey } from '../../../../gateway/execution/responseTree.ts';
import { TextKey } from '../../../../gateway/sharing/textMap.ts';
import type { Call, CallListener } from '../../../../gateway/subgraphs/policies/call.ts';
import { callLimitsOf } from '../../../../gateway/subgraphs/policies/callLimits.ts';
import { CallQueue } from '../../../../gateway/subgraphs/policies/callQueue.ts';
import type { CallUrgency } from '../../../../gateway/subgraphs/policies/callUrgency.ts';
import { InFlightCalls } from '../../../../gateway/subgraphs/policies/inFlightCalls.ts';
import type {
  CancelSubgraphCall,
  SubgraphClient,
  SubgraphErrorEntry,
  SubgraphReceiver,
  SubgraphRequest,
} from '../../../../gateway/subgraphs/subgraphClient.ts';

/** The clock and the event counter of one run. */
interface ModelTime {
  /** The time of the fake clock in milliseconds. */
  readonly now: () => number;
  /** Returns an increasing number, which orders the events. */
  readonly tick: () => number;
}

/** How the subgraph answers a call. */
export interface AnswerSpec {
  readonly headerCase: string;
  readonly cacheControl?: string | undefined;
  readonly age?: string | undefined;
  /** One outcome for each item, repeated from the beginning if there are more items. */
  readonly outcomes: readonly ('value' | 'null' | 'error' | 'part' | 'forbidden')[];
  /** Whether strings need an escape sequence in JSON. */
  readonly isEscaped: boolean;
  /** A general error; `lost` also makes the data null. */
  readonly operationError: 'none' | 'error' | 'lost';
}

export const plainAnswerSpec: AnswerSpec = {
  headerCase: 'nothing',
  outcomes: ['value'],
  isEscaped: false,
  operationError: 'none',
};

/** One call to the subgraph. */
export class ModelCall implements Call {
  readonly number: number;
  /** The process that sent it. */
  readonly process: number;
  readonly request: SubgraphRequest;
  readonly identity: string | undefined;
  readonly sentTick: number;
  answeredTick = Number.POSITIVE_INFINITY;
  answeredAt = Number.POSITIVE_INFINITY;
  answerSpec: AnswerSpec | undefined;
  /** The items that the subgraph failed to answer, without those that it refused. Named by `requestedItem`. */
  readonly failedItems = new Set<string>();
  /** All items of the call, known when it ends. */
  readonly requestedItems = new Set<string>();
  /** The items answered with null and without an error. */
  readonly nullItems = new Set<string>();
  readonly #time: ModelTime;
  #listener: CallListener | undefined;

  constructor(number: number, process: number, request: SubgraphRequest, time: ModelTime) {
    this.number = number;
    this.process = process;
    this.request = request;
    this.#time = time;
    this.sentTick = time.tick();
    this.identity = request.headers.pairs[1];
  }

  start(listener: CallListener): void {
    this.#listener = listener;
  }

  abort(): void {
    this.#listener = undefined;
  }

  get isOpen(): boolean {
    return this.#listener !== undefined;
  }

  answer(manner: AnswerSpec): void {
    const listener = this.#end();
    this.answerSpec = manner;
    const body = this.#body(manner);
    listener?.onResponse({
      read(done) {
        const { data, errors } = JSON.parse(body);
        done({
          data,
          errors,
          extensions: undefined,
          cacheControl: manner.cacheControl,
          age: manner.age,
          isEscapeFree: !body.includes('\\'),
        });
        return () => undefined;
      },
    });
  }

  fail(error: GatewayError, isFailure: boolean): void {
    const listener = this.#end();
    // Building an answer collects the requested items.
    this.#body({ ...plainAnswerSpec, operationError: isFailure ? 'lost' : 'none' });
    listener?.onFailure(error);
  }

  #end(): CallListener | undefined {
    const listener = this.#listener;
    this.#listener = undefined;
    this.answeredTick = this.#time.tick();
    this.answeredAt = this.#time.now();
    return listener;
  }

  #body({ outcomes, isEscaped, operationError }: AnswerSpec): string {
    const { query, variables } = JSON.parse(this.request.body) as {
      query: string;
      variables: Record<string, Record<string, unknown>[]>;
    };
    const [operation] = parse(query).definitions;
    const errors: SubgraphErrorEntry[] = [];
    const data: Record<string, unknown> = {};
    let visitedItems = 0;
    const fieldsOf = (item: string, selections: readonly SelectionNode[], isPart: boolean): unknown => {
      const object: Record<string, unknown> = {};
      for (const selection of selections) {
        if (selection.kind !== Kind.FIELD) continue;
        const value = `${item}.${selection.name.value}@${this.number}${isEscaped ? '"' : ''}`;
        setKey(object, selection.alias?.value ?? selection.name.value, isPart ? null : value);
      }
      return object;
    };
    const take = (
      item: string,
      path: (string | number)[],
      value: (isPart: boolean) => unknown,
      keys: readonly string[],
    ): unknown => {
      const outcome = outcomes[visitedItems++ % outcomes.length] ?? 'value';
      this.requestedItems.add(requestedItem(item, keys));
      const isFailed = outcome === 'error' || outcome === 'part';
      const isTaken = operationError === 'lost' || (operationError === 'error' && outcome === 'null');
      if (isFailed || (isTaken && outcome !== 'forbidden')) this.failedItems.add(requestedItem(item, keys));
      if (outcome === 'value') return value(false);
      if (outcome === 'null') {
        this.nullItems.add(requestedItem(item, keys));
        return null;
      }
      const [firstKey] = keys;
      const isPart = outcome === 'part' && firstKey !== undefined;
      errors.push({
        message: item,
        path: isPart ? [...path, firstKey] : path,
        ...(outcome === 'forbidden' ? { extensions: { code: 'FORBIDDEN' } } : {}),
      });
      return isPart ? value(true) : null;
    };
    for (const selection of (operation as OperationDefinitionNode).selectionSet.selections) {
      if (selection.kind !== Kind.FIELD) continue;
      const name = selection.alias?.value ?? selection.name.value;
      if (selection.name.value !== '_entities') {
        const field = selection.name.value;
        const item = `Query.${field}`;
        const text = `${item}@${this.number}${isEscaped ? '"' : ''}`;
        setKey(
          data,
          name,
          take(item, [name], () => text, []),
        );
        continue;
      }
      const [argument] = selection.arguments ?? [];
      const variable = argument?.value.kind === Kind.VARIABLE ? argument.value.name.value : '';
      const entities = (variables[variable] ?? []).map((representation, index) => {
        const { __typename: type, id } = representation;
        const selections = selectionsFor(String(type), selection.selectionSet?.selections ?? []);
        const keys = selections.flatMap((one) =>
          one.kind === Kind.FIELD ? [one.alias?.value ?? one.name.value] : [],
        );
        const item = `${type}:${id}`;
        return take(item, [name, index], (isPart) => fieldsOf(item, selections, isPart), keys);
      });
      setKey(data, name, entities);
    }
    if (operationError !== 'none') errors.push({ message: 'general' });
    return JSON.stringify({
      data: operationError === 'lost' ? null : data,
      ...(errors.length > 0 ? { errors } : {}),
    });
  }
}

/** Names an item of a call. One call may contain an entity twice with different fields. `keys`: the response names of its
 *  fields. */
export function requestedItem(item: string, keys: readonly string[]): string {
  return `${item} ${keys.join()}`;
}

function selectionsFor(type: string, selections: readonly SelectionNode[]): readonly SelectionNode[] {
  return selections.flatMap((selection) =>
    selection.kind === Kind.INLINE_FRAGMENT && selection.typeCondition?.name.value === type
      ? selection.selectionSet.selections
      : [],
  );
}

const plainUrgency: CallUrgency = {
  priority: 'primary',
  requestPriority: 'normal',
  rank: 0,
  earliestDeadline: Number.POSITIVE_INFINITY,
  isDeferred: false,
};

interface ModelSubgraphOptions {
  readonly time: ModelTime;
  /** Whether equal calls in flight of one process are shared. */
  readonly isSharing: boolean;
}

/** A subgraph whose values contain the number of their call. Calls wait until the test answers them. */
export class ModelSubgraph {
  readonly calls: ModelCall[] = [];
  readonly #options: ModelSubgraphOptions;
  readonly #inflight: InFlightCalls<ModelCall>;
  /** A queue without limits. */
  readonly #queue = new CallQueue({
    name: 'products',
    limits: callLimitsOf({ url: '', connections: Number.POSITIVE_INFINITY, http2: false }),
    observer: undefined,
    now: () => 0,
    readUtilization: () => 0,
  });

  constructor(options: ModelSubgraphOptions) {
    this.#options = options;
    this.#inflight = new InFlightCalls({
      now: () => performance.now(),
      // Only the model ends calls.
      after: () => () => undefined,
      onReceiverFault: (fault) => {
        this.faults.push(fault);
      },
    });
  }

  readonly faults: unknown[] = [];

  clientOf(process: number): SubgraphClient {
    return { send: (request, receiver) => this.#send(process, request, receiver), close: async () => {} };
  }

  #send(process: number, request: SubgraphRequest, receiver: SubgraphReceiver): CancelSubgraphCall {
    return this.#inflight.send({
      key: this.#options.isSharing
        ? new TextKey(
            `${process} ${request.isDeferred} ${request.sharingKey} ${request.headers.key}`,
            request.body,
          )
        : undefined,
      subgraph: request.subgraph,
      attemptTimeoutMs: Number.POSITIVE_INFINITY,
      deadline: request.deadline,
      urgency: plainUrgency,
      raisablePriorities: undefined,
      isIdempotent: false,
      policies: { queue: this.#queue, limits: this.#queue.limits },
      receiver,
      createCall: () => {
        const call = new ModelCall(this.calls.length, process, request, this.#options.time);
        this.calls.push(call);
        return call;
      },
    });
  }

  get openCalls(): readonly ModelCall[] {
    return this.calls.filter(({ isOpen }) => isOpen);
  }
}
