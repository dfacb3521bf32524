import type { DeferredFragment, SelectionSet } from '../operation/selection.ts';
import type { DeferredInstance, PendingField } from './shapeData.ts';

interface StreamedEnrichmentsOptions {
  /** Group numbers from here on are free. */
  readonly firstGroup: number;
  isComplete(group: number): boolean;
  /** The fragment of this group is complete. */
  onComplete(group: number): void;
}

interface EnrichmentFragment {
  readonly fragment: DeferredFragment;
  readonly groups: ReadonlySet<number>;
  isComplete: boolean;
}

/** Enrichments that are delivered as payloads of the response, as if the client had deferred them: one fragment for
 *  each pending selection set, at all its paths. */
export class StreamedEnrichments {
  readonly #options: StreamedEnrichmentsOptions;
  readonly #bySet = new Map<SelectionSet, EnrichmentFragment>();

  constructor(options: StreamedEnrichmentsOptions) {
    this.#options = options;
  }

  has(fragment: DeferredFragment): boolean {
    return this.#bySet.get(fragment.full)?.fragment === fragment;
  }

  groupsOf({ full }: DeferredFragment): ReadonlySet<number> {
    return (this.#bySet.get(full) as EnrichmentFragment).groups;
  }

  add(pending: readonly PendingField[]): readonly DeferredInstance[] {
    const instances = pending.map((field): DeferredInstance => {
      const { object, type } = field;
      return { fragment: this.#fragmentOf(field), object, type, path: parentObjectPathOf(field) };
    });
    this.completeGroup();
    return instances;
  }

  /** A delivery group is complete. */
  completeGroup(): void {
    for (const entry of this.#bySet.values()) {
      if (entry.isComplete || ![...entry.groups].every((group) => this.#options.isComplete(group))) continue;
      entry.isComplete = true;
      this.#options.onComplete(entry.fragment.group);
    }
  }

  #fragmentOf({ selectionSet, groups }: PendingField): DeferredFragment {
    let entry = this.#bySet.get(selectionSet);
    if (entry === undefined) {
      const group = this.#options.firstGroup + this.#bySet.size;
      entry = {
        fragment: {
          kind: 'Deferred',
          group,
          label: undefined,
          typeCondition: undefined,
          full: selectionSet,
          own: selectionSet,
        },
        groups: new Set(groups),
        isComplete: false,
      };
      this.#bySet.set(selectionSet, entry);
    }
    return entry.fragment;
  }
}

/** Path of the object that the pending value is a field of, or of the object itself. */
export function parentObjectPathOf({ path, field }: PendingField): PendingField['path'] {
  return field === undefined ? path : path.slice(0, -1);
}
