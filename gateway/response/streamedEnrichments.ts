import type { DeferredFragment, SelectionSet } from '../operation/selection.ts';
import type { DeferredInstance, PendingField } from './shapeData.ts';

interface StreamedEnrichmentsOptions {
  /** Group numbers from here on are free. */
  readonly firstGroup: number;
  isComplete(group: number): boolean;
  /** A fragment's data is complete. */
  onComplete(group: number): void;
}

interface EnrichmentFragment {
  readonly fragment: DeferredFragment;
  readonly groups: ReadonlySet<number>;
  isComplete: boolean;
}

/** Enrichments that come later with the answer, as if the client had deferred them: one fragment for each thing that
 *  is late, at all its places. */
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

  add(places: readonly PendingField[]): readonly DeferredInstance[] {
    const instances = places.map((place): DeferredInstance => {
      const { object, type } = place;
      return { fragment: this.#fragmentOf(place), object, type, path: parentObjectPathOf(place) };
    });
    this.completeGroup();
    return instances;
  }

  /** Some group is complete. */
  completeGroup(): void {
    for (const late of this.#bySet.values()) {
      if (late.isComplete || ![...late.groups].every((group) => this.#options.isComplete(group))) continue;
      late.isComplete = true;
      this.#options.onComplete(late.fragment.group);
    }
  }

  #fragmentOf({ selectionSet, groups }: PendingField): DeferredFragment {
    let late = this.#bySet.get(selectionSet);
    if (late === undefined) {
      const group = this.#options.firstGroup + this.#bySet.size;
      late = {
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
      this.#bySet.set(selectionSet, late);
    }
    return late.fragment;
  }
}

/** Where the object stands that the place's value is made of. */
export function parentObjectPathOf({ path, field }: PendingField): PendingField['path'] {
  return field === undefined ? path : path.slice(0, -1);
}
