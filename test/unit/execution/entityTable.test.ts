import { expect, test } from '@jest/globals';
import { type EntitySlot, EntityTable } from '../../../gateway/execution/entityTable.ts';
import type { FetchShape } from '../../../gateway/execution/fetchShape.ts';
import type { FetchStep } from '../../../gateway/execution/program.ts';
import type { TypeRepresentation } from '../../../gateway/execution/representationReader.ts';
import type { ResponseObject } from '../../../gateway/execution/responseTree.ts';
import type { Settlement } from '../../../gateway/execution/settlement.ts';

const shape = { compositeKeys: ['seller'] } as unknown as FetchShape;
const step = {} as FetchStep;
const settlement = {} as Settlement;
const product: TypeRepresentation = {
  typename: 'Product',
  lookupKey: (object) => object.upc,
  isSame: (first, second) => first.upc === second.upc,
  serialize: JSON.stringify,
};

test('after a long execution, entities and the objects that they were merged into have no references', () => {
  const { table, first, second, slot } = tableWithEntity();
  table.release(50.1);
  expect(slot).toMatchObject({ entity: undefined, settlement: undefined });
  expect(slot.object).not.toBe(first);
  expect([first, second]).toEqual([
    { upc: '1', seller: undefined },
    { upc: '1', seller: undefined },
  ]);
  expect(find(table)).toBeUndefined();
});

test('after a short execution, only the table is empty', () => {
  const { table, first, slot } = tableWithEntity();
  table.release(50);
  expect(slot.object).toBe(first);
  expect(first.seller).toBeDefined();
  expect(find(table)).toBeUndefined();
});

test('entities with other variables are others, and are found again', () => {
  const { table } = tableWithEntity();
  expect(find(table, 'de')).toBeUndefined();
  const german = table.slotsFor(shape, 'de').slotsOf(product).add({ upc: '1' }, step, settlement);
  expect(find(table, 'de')).toBe(german);
  expect(find(table)).not.toBe(german);
  expect(find(table, 'fr')).toBeUndefined();
  table.release(51);
  expect(german.settlement).toBeUndefined();
});

test('entities with one look-up key that differ in type or content are others, and all are released', () => {
  const table = new EntityTable();
  const slots = table.slotsFor(shape, '');
  const bySize: TypeRepresentation = { ...product, isSame: (first, second) => first.size === second.size };
  const added = [
    { object: { upc: '1', size: 1 }, type: bySize },
    { object: { upc: '1', size: 2 }, type: bySize },
    { object: { upc: '1', size: 1 }, type: { ...bySize, typename: 'Vendor' } },
  ].map(({ object, type }) => {
    const ofType = slots.slotsOf(type);
    expect(ofType.find(object, step)).toBeUndefined();
    const slot = ofType.add(object, step, settlement);
    expect(ofType.find({ ...object }, step)).toBe(slot);
    return slot;
  });
  table.release(51);
  expect(added.map((slot) => slot.settlement)).toStrictEqual([undefined, undefined, undefined]);
});

test('entities of shapes that are not needed any more are released, and no others', () => {
  const { table, first, slot } = tableWithEntity();
  const otherShape = { compositeKeys: [] } as unknown as FetchShape;
  const other = table.slotsFor(otherShape, '').slotsOf(product).add({ upc: '1' }, step, settlement);
  table.retainShapes(new Set([shape]));
  expect(slot.object).toBe(first);
  expect(find(table)).toBe(slot);
  expect(other.settlement).toBeUndefined();
  expect(table.slotsFor(otherShape, '').slotsOf(product).find({ upc: '1' }, step)).toBeUndefined();
});

/** A table with one entity, which two objects got. */
function tableWithEntity() {
  const table = new EntityTable();
  const seller = { id: 's' };
  const first: ResponseObject = { upc: '1', seller };
  const second: ResponseObject = { upc: '1', seller };
  const slot = table.slotsFor(shape, '').slotsOf(product).add(first, step, settlement);
  slot.addTarget(second, step);
  slot.entity = { seller };
  return { table, first, second, slot };
}

function find(table: EntityTable, key = ''): EntitySlot | undefined {
  return table.slotsFor(shape, key).slotsOf(product).find({ upc: '1' }, step);
}
