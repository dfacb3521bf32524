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
  table.release(51);
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
  table.release(49);
  expect(slot.object).toBe(first);
  expect(first.seller).toBeDefined();
  expect(find(table)).toBeUndefined();
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

function find(table: EntityTable): EntitySlot | undefined {
  return table.slotsFor(shape, '').slotsOf(product).find({ upc: '1' }, step);
}
