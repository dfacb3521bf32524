import type { Fetcher } from '@graphiql/toolkit';
import { type DocumentNode, getOperationAST, parse } from 'graphql';
import { type Answer, type Answers, type Arrival, takeExplanation } from './answers.ts';
import { type EnrichmentUpdate, withPayload, withUpdate } from './mergeResults.ts';
import { type OperationBody, type Payload, sendOperation } from './sendOperation.ts';

type Headers = Readonly<Record<string, string>>;

const enrichmentSubscription =
  'subscription Enrichment($token: ID!) { enrichment(token: $token) { path data errors hasNext } }';

/** Sends the operations of GraphiQL and records how their answers arrive. */
export class AnswerRecorder {
  readonly #answers: Answers;
  readonly #explainHeaders: Headers;

  constructor(answers: Answers, canExplain: boolean) {
    this.#answers = answers;
    this.#explainHeaders = canExplain ? { 'tributary-explain': 'true' } : {};
  }

  readonly fetcher: Fetcher = ({ query, variables, operationName }, { headers = {} } = {}) => ({
    subscribe: (receiver) => {
      const { next, error, complete } = receiver as {
        next(payload: unknown): void;
        error(reason: unknown): void;
        complete(): void;
      };
      const controller = new AbortController();
      const { signal } = controller;
      const { kind, name } = operationOf(query, operationName);
      const body = { query, variables, operationName: name };
      const running =
        name === 'IntrospectionQuery'
          ? sendOperation(body, { headers, isSubscription: false, signal, onPayload: next })
          : this.#run(kind, body, headers, signal, next);
      running.then(complete, (reason) => {
        if (!signal.aborted) error(reason instanceof Error ? { message: reason.message } : reason);
      });
      return { unsubscribe: () => controller.abort() };
    },
  });

  /** Sends a mutation while the subscription of the same tab runs. */
  async sendTrigger(body: OperationBody, headers: Headers): Promise<void> {
    const { tab } = this.#answers;
    const clock = this.#clockOf(tab);
    const { signal } = new AbortController();
    const errors: unknown[] = [];
    try {
      await sendOperation(body, {
        headers,
        isSubscription: false,
        signal,
        onPayload: (payload) => errors.push(...(payload.errors ?? [])),
      });
    } catch (reason) {
      errors.push(reason);
    }
    const name = body.operationName ?? 'mutation';
    this.#arrive(tab, {
      kind: 'mutation',
      // The answer is that of the subscription, so the error is nowhere else.
      label: errors.length === 0 ? name : `${name} (${messageOf(errors[0])})`,
      atMs: clock(),
      errors: errors.length,
    });
  }

  async #run(
    kind: Answer['kind'],
    body: OperationBody,
    headers: Headers,
    signal: AbortSignal,
    onPayload: (payload: Payload) => void,
  ): Promise<void> {
    const { tab } = this.#answers;
    const answer: Answer = {
      kind,
      isRunning: true,
      arrivals: [],
      count: 0,
      explanation: undefined,
      plan: undefined,
      criticalPath: [],
    };
    this.#answers.set(tab, answer);
    const clock = this.#clockOf(tab, performance.now());
    let token: string | undefined;
    let result: Payload = {};
    const show = (next: Payload): void => {
      result = next;
      onPayload(next);
    };
    try {
      await sendOperation(body, {
        headers: { ...this.#explainHeaders, ...headers },
        isSubscription: kind === 'subscription',
        signal,
        onPayload: (received) => {
          const { payload, times } = takeExplanation(received);
          const isFirst = this.#answers.get(tab)?.count === 0;
          for (const arrival of arrivalsOf(payload, kind, clock())) this.#arrive(tab, arrival);
          this.#answers.change(tab, ({ plan, explanation, criticalPath }) => ({
            explanation: times.explain ?? explanation,
            plan: times.explain?.plan ?? plan,
            // Of the first payload, or of the last event.
            criticalPath: isFirst || kind === 'subscription' ? (times.criticalPath ?? []) : criticalPath,
          }));
          token ??= tokenOf(payload);
          // Each event is an answer of its own.
          show(kind === 'subscription' ? payload : withPayload(result, payload));
        },
      });
      if (token !== undefined)
        await this.#followEnrichment(tab, token, headers, clock, signal, (update) =>
          show(withUpdate(result, update)),
        );
    } catch (reason) {
      // GraphiQL would show the error in place of what has arrived.
      if (result.data === undefined || kind === 'subscription' || signal.aborted) throw reason;
      show(withPayload(result, { errors: [{ message: messageOf(reason) }] }));
    } finally {
      this.#answers.change(tab, () => ({ isRunning: false }));
    }
  }

  /** Subscribes to the pending fields of an answer, as clients do that have a token. The answer stays if that fails. */
  async #followEnrichment(
    tab: string,
    token: string,
    headers: Headers,
    clock: () => number,
    signal: AbortSignal,
    onUpdate: (update: EnrichmentUpdate) => void,
  ): Promise<void> {
    const arrive = (label: string, errors: number): void =>
      this.#arrive(tab, { kind: 'enrichment', label, atMs: clock(), errors });
    const body = { query: enrichmentSubscription, variables: { token } };
    try {
      await sendOperation(body, {
        headers,
        isSubscription: true,
        signal,
        onPayload: ({ data, errors }) => {
          const update = (data as { readonly enrichment?: EnrichmentUpdate } | undefined)?.enrichment;
          if (update == null) {
            // Not an error of the answer: the token has expired, or the graph has no such subscription.
            arrive(messageOf(errors?.[0]), errors?.length ?? 0);
            return;
          }
          arrive(update.path.join('.'), update.errors?.length ?? 0);
          onUpdate(update);
        },
      });
    } catch (reason) {
      if (!signal.aborted) arrive(messageOf(reason), 1);
    }
  }

  readonly #startedAt = new Map<string, number>();

  /** Returns a function with the time since the operation of a tab was sent. */
  #clockOf(tab: string, startedAt = this.#startedAt.get(tab) ?? performance.now()): () => number {
    this.#startedAt.set(tab, startedAt);
    return () => performance.now() - startedAt;
  }

  #arrive(tab: string, arrival: Arrival): void {
    this.#answers.change(tab, ({ kind, arrivals, count }) => {
      // The first payload of a query is what its time line is about.
      const first = kind === 'subscription' ? [] : arrivals.slice(0, 1);
      const others = [...arrivals.slice(first.length), arrival].slice(first.length - maxArrivals);
      return { arrivals: [...first, ...others], count: arrival.kind === 'mutation' ? count : count + 1 };
    });
  }
}

/** The operation to run. For a moment after a change of the tab, GraphiQL names the operation of the former tab. */
function operationOf(
  query: string,
  operationName: string | null | undefined,
): { readonly kind: Answer['kind']; readonly name: string | undefined } {
  let document: DocumentNode;
  try {
    document = parse(query);
  } catch {
    // The gateway explains what is wrong.
    return { kind: 'query', name: operationName ?? undefined };
  }
  const operation = getOperationAST(document, operationName) ?? getOperationAST(document);
  return { kind: operation?.operation ?? 'query', name: operation?.name?.value };
}

function messageOf(error: unknown): string {
  return String((error as { readonly message?: unknown } | undefined)?.message);
}

/** A subscription may run for hours, and an answer may have thousands of deferred payloads. */
const maxArrivals = 50;

function arrivalsOf(payload: Payload, kind: Answer['kind'], atMs: number): Arrival[] {
  const { incremental, errors = [] } = payload;
  if (kind === 'subscription') return [{ kind: 'event', label: 'event', atMs, errors: errors.length }];
  const deferred = (incremental ?? []).map(
    ({ label, path = [], errors: own = [] }): Arrival => ({
      kind: 'payload',
      label: label ?? (path.join('.') || 'deferred'),
      atMs,
      errors: own.length,
    }),
  );
  if (payload.data === undefined && errors.length === 0) return deferred;
  return [{ kind: 'payload', label: 'first payload', atMs, errors: errors.length }, ...deferred];
}

function tokenOf({ extensions }: Payload): string | undefined {
  return (extensions?.tributary as { readonly enrichment?: { readonly token?: string } } | undefined)
    ?.enrichment?.token;
}
