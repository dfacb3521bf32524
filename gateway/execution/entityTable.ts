import type { GatewayError, ResponsePath } from '../errors.ts';
import type { SubgraphErrorEntry } from '../subgraphs/subgraphClient.ts';
import type { Staleness } from './fetchCall.ts';
import type { FetchShape } from './fetchShape.ts';
import type { FetchStep } from './program.ts';
import type { TypeRepresentation } from './representationReader.ts';
import type { ResponseObject } from './responseTree.ts';
import type { Settlement } from './settlement.ts';

/** The entities that an operation has fetched, by fetch shape and representation: a delivery group never fetches the same
 *  fields of an entity twice, even at different paths. */
export class EntityTable {
  /** A list, because an operation has few shapes. */
  #shapes: ShapeSlots[] = [];

  /** `key` is equal for fetches that build equal representations and send equal variables. */
  slotsFor(shape: FetchShape, key: string): SlotsByType {
    for (const ofShape of this.#shapes) if (ofShape.shape === shape) return ofShape.slotsFor(key);
    const ofShape = new ShapeSlots(shape, key);
    this.#shapes.push(ofShape);
    return ofShape.slotsFor(key);
  }

  /** Removes the entities of all other shapes. */
  retainShapes(shapes: ReadonlySet<FetchShape>): void {
    for (const ofShape of this.#shapes) if (!shapes.has(ofShape.shape)) ofShape.release([]);
    this.#shapes = this.#shapes.filter(({ shape }) => shapes.has(shape));
  }

  /** Removes all entities, after a long execution also their references from the objects that they were merged into. An
   *  object of the old generation would keep merged young objects alive until the next full garbage collection.
   *  `fetchingMs`: see `FetchScheduler`. */
  release(fetchingMs: number): void {
    if (fetchingMs > youngMs)
      for (const ofShape of this.#shapes) ofShape.release(ofShape.shape.compositeKeys);
    this.#shapes = [];
  }
}

/** The entities of one fetch shape. */
class ShapeSlots {
  readonly shape: FetchShape;
  readonly #key: string;
  readonly #slots = new SlotsByType();
  /** Of other keys than the first one: there are several only for arguments from context. */
  #others: Map<string, SlotsByType> | undefined;

  constructor(shape: FetchShape, key: string) {
    this.shape = shape;
    this.#key = key;
  }

  slotsFor(key: string): SlotsByType {
    if (key === this.#key) return this.#slots;
    this.#others ??= new Map();
    let slots = this.#others.get(key);
    if (slots === undefined) {
      slots = new SlotsByType();
      this.#others.set(key, slots);
    }
    return slots;
  }

  release(compositeKeys: readonly string[]): void {
    this.#slots.release(compositeKeys);
    for (const slots of this.#others?.values() ?? []) slots.release(compositeKeys);
  }
}

/** An error of an entity. */
interface EntityProblem {
  readonly reason: SubgraphErrorEntry | GatewayError;
  /** Path in the entity; `undefined` for an error of the whole fetch. */
  readonly path: ResponsePath | undefined;
  /** The error is of a field, and the whole entity is null because of it. */
  readonly hasLostEntity?: boolean;
}

/** A diagnostic that is reported at every path of an entity. */
export type EntityDiagnostic = EntityProblem | { readonly staleness: Staleness };

type EntitySlotOptions = Pick<EntitySlot, 'object' | 'typename' | 'step' | 'settlement' | 'next'>;

/** One entity of one fetch shape. */
export class EntitySlot {
  /** The first object that the entity was fetched for. Other objects are compared with it. */
  object: ResponseObject;
  readonly typename: string;
  readonly step: FetchStep;
  entity: ResponseObject | undefined;
  isSettled = false;
  /** Reported for every object that gets the entity, later ones included. */
  diagnostics: readonly EntityDiagnostic[] = noDiagnostics;
  /** Of the fetch of the entity. */
  settlement: Settlement | undefined;
  /** Another entity with the same look-up key. */
  readonly next: EntitySlot | undefined;
  #sameStepTargets: ResponseObject[] | undefined;
  #otherStepTargets: { readonly object: ResponseObject; readonly step: FetchStep }[] | undefined;

  constructor({ object, typename, step, settlement, next }: EntitySlotOptions) {
    this.object = object;
    this.typename = typename;
    this.step = step;
    this.settlement = settlement;
    this.next = next;
  }

  /** Whether the step may use this fetch of the entity: not while it is under way for another payload, whose slow fields may be
   *  in the same request. Every payload waits for the primary data anyway. */
  isAvailableTo({ group }: FetchStep): boolean {
    return this.isSettled || this.step.group === group || this.step.group === 0;
  }

  /** Adds another object that waits for the entity, and the step that fetches it there. */
  addTarget(object: ResponseObject, step: FetchStep): void {
    if (step === this.step) {
      if (this.#sameStepTargets === undefined) this.#sameStepTargets = [object];
      else this.#sameStepTargets.push(object);
    } else {
      this.#otherStepTargets ??= [];
      this.#otherStepTargets.push({ object, step });
    }
  }

  release(compositeKeys: readonly string[]): void {
    if (compositeKeys.length > 0) {
      this.forEachTarget((_slot, object) => {
        for (const key of compositeKeys) object[key] = undefined;
      });
    }
    this.object = releasedObject;
    this.entity = undefined;
    this.settlement = undefined;
    this.#sameStepTargets = undefined;
    this.#otherStepTargets = undefined;
  }

  /** `visit` gets the slot, so that one function serves many of them. */
  forEachTarget(visit: (slot: EntitySlot, object: ResponseObject, step: FetchStep) => void): void {
    visit(this, this.object, this.step);
    if (this.#sameStepTargets !== undefined)
      for (const object of this.#sameStepTargets) visit(this, object, this.step);
    if (this.#otherStepTargets !== undefined)
      for (const { object, step } of this.#otherStepTargets) visit(this, object, step);
  }
}

/** Objects of a shorter execution are all in the young generation. They leave it in their second collection, and filling the
 *  64 MiB between two of them (`youngGeneration.ts`) takes longer. */
const youngMs = 50;

const releasedObject: ResponseObject = Object.freeze(Object.create(null));
const noDiagnostics: readonly EntityDiagnostic[] = [];

class SlotsByType {
  /** A list, because an abstract type has few types. */
  readonly #types: TypeSlots[] = [];

  release(compositeKeys: readonly string[]): void {
    for (const ofType of this.#types) ofType.release(compositeKeys);
  }

  slotsOf(representation: TypeRepresentation): TypeSlots {
    for (const known of this.#types)
      if (known.representation.typename === representation.typename) return known;
    const ofType = new TypeSlots(representation);
    this.#types.push(ofType);
    return ofType;
  }
}

/** The entities of one runtime type. */
export class TypeSlots {
  readonly representation: TypeRepresentation;
  readonly #byKey = new Map<unknown, EntitySlot>();

  constructor(representation: TypeRepresentation) {
    this.representation = representation;
  }

  release(compositeKeys: readonly string[]): void {
    for (const slot of this.#byKey.values()) {
      for (let same: EntitySlot | undefined = slot; same !== undefined; same = same.next)
        same.release(compositeKeys);
    }
  }

  /** The entity of the object, if the step may use its fetch. */
  find(object: ResponseObject, step: FetchStep): EntitySlot | undefined {
    let slot = this.#byKey.get(this.representation.lookupKey(object));
    while (
      slot !== undefined &&
      !(slot.isAvailableTo(step) && this.representation.isSame(slot.object, object))
    )
      slot = slot.next;
    return slot;
  }

  /** `settlement`: of the fetch of the entity. */
  add(object: ResponseObject, step: FetchStep, settlement: Settlement): EntitySlot {
    const key = this.representation.lookupKey(object);
    const { typename } = this.representation;
    const slot = new EntitySlot({ object, typename, step, settlement, next: this.#byKey.get(key) });
    this.#byKey.set(key, slot);
    return slot;
  }
}
