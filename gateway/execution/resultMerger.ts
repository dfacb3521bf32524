import { copyJson } from '../json/copyJson.ts';
import { isObject } from '../json/isObject.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { CachingContributions } from './cachingContributions.ts';
import type { EntityDiagnostic, EntitySlot } from './entityTable.ts';
import { type ExecutionDiagnostics, invalidStepResponseError } from './executionDiagnostics.ts';
import type { FetchResult } from './fetchCall.ts';
import type { FetchStep, Program } from './program.ts';
import { programIndexOf } from './programIndex.ts';
import type { RequestContext } from './requestContext.ts';
import type { ResponseObject } from './responseTree.ts';
import { applyRewrites } from './rewrites.ts';
import type { TypeConditions } from './typeConditions.ts';

interface ResultMergerOptions {
  readonly program: Program;
  readonly requestContext: RequestContext;
  readonly conditions: TypeConditions;
}

/** Merges the results of an execution's fetches into the response tree, and records their errors, their stale values and
 *  how they limit caching. */
export class ResultMerger {
  readonly cachingContributions: CachingContributions;
  /** No response so far holds a string with an escape sequence. */
  isEscapeFree = true;
  readonly #tree: ResponseObject;
  readonly #diagnostics: ExecutionDiagnostics;
  readonly #conditions: TypeConditions;
  readonly #hasContext: boolean;

  constructor(
    { program, requestContext, conditions }: ResultMergerOptions,
    tree: ResponseObject,
    diagnostics: ExecutionDiagnostics,
  ) {
    this.cachingContributions = new CachingContributions(requestContext);
    this.#tree = tree;
    this.#diagnostics = diagnostics;
    this.#conditions = conditions;
    this.#hasContext = programIndexOf(program).hasContext;
  }

  *mergeRoot(step: FetchStep, result: FetchResult): SlicedTask {
    const conditions = this.#conditions;
    const diagnostics = this.#diagnostics;
    this.cachingContributions.add(step, result);
    if (result.kind === 'failed') {
      diagnostics.addFailure(step, result.error);
      return;
    }
    this.isEscapeFree &&= result.isEscapeFree;
    if (result.errors.length > 0) yield* diagnostics.addRootErrors(step, result.errors);
    if (result.stale !== undefined) yield* diagnostics.addStaleFields(step, result.stale);
    if (isObject(result.data)) {
      const { data } = result;
      applyRewrites(step.shape.outputRewrites, data, undefined, conditions);
      const targets = this.rootTargets(step);
      for (let index = 0; index < targets.length; index++) {
        const own = index === 0 ? data : (copyJson(data) as ResponseObject);
        step.shape.merge(targets[index] as ResponseObject, own, conditions.isObjectType);
        if (index > 0) yield;
      }
    } else if (result.errors.length === 0)
      diagnostics.addFailure(step, invalidStepResponseError(step, 'data is no object'));
  }

  /** The objects that a root fetch is for. A raw number cannot take its fields. */
  rootTargets(step: FetchStep): ResponseObject[] {
    return step.collectTargets(this.#tree).filter(isObject);
  }

  /** `slots`: of the entities, in the order of the representations. */
  *mergeEntities(step: FetchStep, slots: readonly EntitySlot[], result: FetchResult): SlicedTask {
    const conditions = this.#conditions;
    const diagnostics = this.#diagnostics;
    this.cachingContributions.add(step, result);
    if (result.kind === 'failed') {
      yield* diagnostics.addToSlots(slots, [{ reason: result.error, path: undefined }]);
      return;
    }
    this.isEscapeFree &&= result.isEscapeFree;
    const entities = Array.isArray(result.data) ? result.data : [];
    let bySlot: Map<EntitySlot, EntityDiagnostic[]> | undefined;
    // A slot counts as settled when its errors are recorded: steps that meet the entity earlier wait for them.
    const isClean = result.errors.length === 0 && result.stale === undefined;
    let untilPause = targetsPerSlice;
    const mergeTarget = (slot: EntitySlot, object: ResponseObject, owner: FetchStep): void => {
      untilPause--;
      this.mergeEntity(owner, slot, object);
    };
    for (let i = 0; i < slots.length; i++) {
      if (untilPause <= 0) {
        untilPause = targetsPerSlice;
        yield;
      }
      untilPause--;
      const slot = slots[i] as EntitySlot;
      const entity: unknown = entities[i];
      if (!isObject(entity)) {
        if (entity === null || entity === undefined) slot.isSettled = isClean;
        else {
          const reason = invalidStepResponseError(step, 'an element of _entities is no object');
          bySlot ??= new Map();
          bySlot.set(slot, [{ reason, path: [] }]);
        }
        continue;
      }
      applyRewrites(step.shape.outputRewrites, entity, slot.typename, conditions);
      slot.entity = entity;
      slot.forEachTarget(mergeTarget);
      slot.isSettled = isClean;
    }
    if (result.errors.length === 0 && result.stale === undefined && bySlot === undefined) return;
    bySlot ??= new Map();
    for (const [index, staleness] of result.stale ?? []) {
      const slot = slots[Number(index)];
      if (slot !== undefined) bySlot.set(slot, [...(bySlot.get(slot) ?? []), { staleness }]);
    }
    const hasData = Array.isArray(result.data);
    yield* diagnostics.addEntityErrors(step, slots, result.errors, bySlot, hasData);
  }

  /** Merges the entity of a slot into one of the objects that wait for it. */
  mergeEntity(step: FetchStep, slot: EntitySlot, target: ResponseObject): void {
    const entity = slot.entity as ResponseObject;
    // Below another step's path, other fetches enrich the same objects, perhaps under the same names.
    const own =
      (slot.step === step && !this.#hasContext) || step.shape.isLeafOnly
        ? entity
        : step.shape.copyEntity(entity);
    step.shape.merge(target, own, this.#conditions.isObjectType);
  }
}

/** Long lists pause after so many objects. */
export const targetsPerSlice = 500;
