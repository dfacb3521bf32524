import type { GraphQLFormattedError } from 'graphql';
import { GatewayError, type ResponsePath } from '../errors.ts';
import type { PayloadTimes } from '../execution/executionObserver.ts';
import type { DeferredFragment } from '../operation/selection.ts';
import type { TraceSpan } from '../telemetry/trace.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import type {
  DeliveredFragment,
  FirstPayload,
  PayloadData,
  PayloadFormat,
  PendingFragment,
} from './incrementalFormats.ts';
import { createResponseExtensions, type ResponseExtensions, repeatEarlier } from './responseExtensions.ts';
import type { DeferredInstance } from './shapeData.ts';
import type { StaleExtension } from './staleExtension.ts';

/** The data of a deferred fragment at one path. */
export interface DeferredResult<Data extends PayloadData = PayloadData> {
  readonly data: Data;
  readonly errors: readonly GraphQLFormattedError[];
  /** Deferred fragments inside the fragment. */
  readonly deferred: readonly DeferredInstance[];
}

/** The data of a deferred fragment at all its paths. */
export interface DeferredResults<Data extends PayloadData = PayloadData> {
  /** In the order of the instances. */
  readonly results: readonly DeferredResult<Data>[];
  readonly stale: StaleExtension | undefined;
}

interface IncrementalPublisherOptions {
  readonly format: PayloadFormat;
  /** The parent of the payloads' spans. */
  readonly span?: TraceSpan | undefined;
  shape(fragment: DeferredFragment, instances: readonly DeferredInstance[]): SlicedTask<DeferredResults>;
  /** Returns what the payload of the fragment reports about its times. */
  timesOf?(fragment: DeferredFragment): PayloadTimes | undefined;
}

interface PendingInstance extends DeferredInstance {
  readonly id: number;
}

/** Decides the order of payloads: a fragment is announced when the object that it belongs to has been sent, and sent
 *  when its data is complete, in a payload of its own. Assigns the ids of `incrementalSpec=v0.2`. */
export class IncrementalPublisher {
  readonly #options: IncrementalPublisherOptions;
  /** Announced and not sent, by delivery group. */
  readonly #pending = new Map<number, PendingInstance[]>();
  readonly #completed = new Set<number>();
  /** Of pending payloads, by delivery group; `undefined` for a response that is not recorded. */
  readonly #spans: Map<number, TraceSpan> | undefined;
  #nextId = 0;
  #hasErrors = false;
  /** Of the payloads so far; `undefined` as long as none has reported anything. */
  #extensions: ResponseExtensions | undefined;

  constructor(options: IncrementalPublisherOptions) {
    this.#options = options;
    this.#spans = options.span && new Map();
  }

  get hasNext(): boolean {
    return this.#pending.size > 0;
  }

  /** Whether a payload that was created so far has errors. */
  get hasErrors(): boolean {
    return this.#hasErrors;
  }

  /** The data of this group is complete, as far as that of enclosing groups is. */
  markComplete(group: number): void {
    this.#completed.add(group);
  }

  publishFirst(
    primary: Pick<FirstPayload, 'data' | 'errors' | 'extensions'>,
    deferred: readonly DeferredInstance[],
  ): SlicedTask<string> {
    const pending = this.#addPending(deferred);
    this.#hasErrors ||= primary.errors.length > 0;
    this.#extensions = primary.extensions;
    return this.#options.format.formatFirst({ ...primary, pending, hasNext: this.hasNext });
  }

  /** Returns the payloads that can be sent now, up to about `batchCharacters` characters. */
  *takeReady(): SlicedTask<string[]> {
    const payloads: string[] = [];
    let size = 0;
    for (
      let group = this.#nextReady();
      group !== undefined && size < batchCharacters;
      group = this.#nextReady()
    ) {
      const payload = yield* this.#publish(group);
      size += payload.length;
      payloads.push(payload);
    }
    return payloads;
  }

  /** Lowest group first: a fragment has a higher group than those that enclose it. */
  #nextReady(): number | undefined {
    let smallest: number | undefined;
    for (const group of this.#pending.keys()) {
      if (this.#completed.has(group) && (smallest === undefined || group < smallest)) smallest = group;
    }
    return smallest;
  }

  *#publish(group: number): SlicedTask<string> {
    const instances = this.#pending.get(group) ?? [];
    this.#pending.delete(group);
    const fragment = (instances[0] as PendingInstance).fragment;
    const { results, stale } = yield* this.#shape(fragment, instances);
    const delivered = instances.map((instance, index): DeliveredFragment => {
      const { data, errors } = results[index] as DeferredResult;
      this.#hasErrors ||= errors.length > 0;
      return { id: instance.id, label: fragment.label, path: instance.path, data, errors };
    });
    const pending = this.#addPending(results.flatMap((result) => result.deferred));
    const payload = yield* this.#options.format.formatNext({
      delivered,
      pending,
      extensions: this.#repeatEarlier(
        createResponseExtensions(stale, undefined, undefined, this.#options.timesOf?.(fragment)),
      ),
      hasNext: this.hasNext,
    });
    this.#spans?.get(group)?.end();
    this.#spans?.delete(group);
    return payload;
  }

  /** The results of a fragment. One that is too large is null with an error, and the others still follow. */
  *#shape(fragment: DeferredFragment, instances: readonly DeferredInstance[]): SlicedTask<DeferredResults> {
    try {
      return yield* this.#options.shape(fragment, instances);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      const formatted = error.toFormatted();
      const results = instances.map(({ path }) => ({
        data: null,
        errors: [{ ...formatted, path }],
        deferred: [],
      }));
      return { results, stale: undefined };
    }
  }

  #repeatEarlier(extensions: ResponseExtensions | undefined): ResponseExtensions | undefined {
    if (extensions === undefined) return undefined;
    this.#extensions =
      this.#extensions === undefined ? extensions : repeatEarlier(this.#extensions, extensions);
    return this.#extensions;
  }

  /** The response has ended, perhaps without its last payloads. */
  endSpans(): void {
    for (const span of this.#spans?.values() ?? []) span.end('cancelled');
    this.#spans?.clear();
  }

  #startSpan({ label, group }: DeferredFragment, path: DeferredInstance['path']): void {
    const span = this.#options.span?.startChild('tributary.payload', {
      'tributary.label': label,
      'tributary.path': path.join('.'),
      'tributary.group': group,
    });
    if (span !== undefined) this.#spans?.set(group, span);
  }

  #addPending(deferred: readonly DeferredInstance[]): PendingFragment[] {
    return deferred.flatMap((instance) => {
      const { fragment, path } = instance;
      // The enclosing selection has sent all its fields, and the format does not repeat them.
      if (this.#options.format.selectionSetOf(fragment).selections.length === 0) return [];
      const announced = { ...instance, id: this.#nextId++ };
      const open = this.#pending.get(fragment.group);
      if (open === undefined) {
        this.#pending.set(fragment.group, [announced]);
        this.#startSpan(fragment, path);
      } else open.push(announced);
      return [{ id: announced.id, label: fragment.label, path: path as ResponsePath }];
    });
  }
}

/** Payloads of one batch wait together for a client that reads slowly. */
const batchCharacters = 1024 * 1024;
