import type { GatewayError, ResponsePath } from '../errors.ts';
import type { SubgraphErrorEntry } from '../subgraph-client/subgraphClient.ts';
import type { FetchShape } from './fetchShape.ts';
import type { FetchStep } from './program.ts';
import type { TypeRepresentation } from './representations.ts';
import type { ResponseObject } from './responseTree.ts';

/** Every entity that an operation has asked for, by what was asked of it: the same question is never sent
 *  twice within one operation, at whatever path it comes up. */
export class EntityTable {
  readonly #byShape = new Map<FetchShape, Map<string, EntitySlots>>();

  /** `question` is equal for fetches that build equal representations and send equal variables. */
  slotsFor(shape: FetchShape, question: string): EntitySlots {
    let ofShape = this.#byShape.get(shape);
    if (ofShape === undefined) {
      ofShape = new Map();
      this.#byShape.set(shape, ofShape);
    }
    let slots = ofShape.get(question);
    if (slots === undefined) {
      slots = new EntitySlots();
      ofShape.set(question, slots);
    }
    return slots;
  }

  clear(): void {
    for (const ofShape of this.#byShape.values()) for (const slots of ofShape.values()) slots.clear();
    this.#byShape.clear();
  }
}

/** What went wrong with an entity. */
export interface EntityProblem {
  readonly reason: SubgraphErrorEntry | GatewayError;
  /** Within the entity; `undefined` for a problem of the whole fetch. */
  readonly path: ResponsePath | undefined;
}

/** One entity in one fetch shape. */
export interface Slot {
  /** The first object that the entity was asked for: others are compared with it. */
  readonly object: ResponseObject;
  readonly typename: string;
  readonly step: FetchStep;
  /** Objects that wait for the entity, each with the step that wants it there. */
  readonly targets: { readonly object: ResponseObject; readonly step: FetchStep }[];
  entity: ResponseObject | undefined;
  isSettled: boolean;
  /** Told at every place that wants the entity, also at those that come later. */
  problems: readonly EntityProblem[];
  /** Resolves when the fetch of the entity has ended. */
  settled: Promise<unknown> | undefined;
  /** Another entity with the same look-up key. */
  readonly next: Slot | undefined;
}

export class EntitySlots {
  readonly #byType = new Map<string, Map<unknown, Slot>>();

  clear(): void {
    for (const ofType of this.#byType.values()) ofType.clear();
    this.#byType.clear();
  }

  find(read: TypeRepresentation, object: ResponseObject): Slot | undefined {
    let slot = this.#byType.get(read.typename)?.get(read.lookupKey(object));
    while (slot !== undefined && !read.isSame(slot.object, object)) slot = slot.next;
    return slot;
  }

  add(read: TypeRepresentation, object: ResponseObject, step: FetchStep): Slot {
    let ofType = this.#byType.get(read.typename);
    if (ofType === undefined) {
      ofType = new Map();
      this.#byType.set(read.typename, ofType);
    }
    const key = read.lookupKey(object);
    const slot: Slot = {
      object,
      typename: read.typename,
      step,
      targets: [{ object, step }],
      entity: undefined,
      isSettled: false,
      problems: [],
      settled: undefined,
      next: ofType.get(key),
    };
    ofType.set(key, slot);
    return slot;
  }
}
