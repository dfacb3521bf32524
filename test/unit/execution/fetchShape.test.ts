import { describe, expect, test } from '@jest/globals';
import { entityFetch, shapeOf } from '../../harness/fetchNodes.ts';

describe('the copy of an entity', () => {
  test('has all fields that the fetch selects at any depth, and none that later fetches have added', () => {
    const shape = shapeOf(entityFetch('seller{id} ...on Product{seller{name}} tags'));
    const seller = { id: '1', name: 'Ada', rating: 5 };
    const copy = shape.copyEntity({ seller, tags: ['a'], stock: 3 });
    expect(copy).toEqual({ seller: { id: '1', name: 'Ada' }, tags: ['a'] });
  });

  test('shares no object with the entity, not even below a key that an output rewrite has renamed', () => {
    const shape = shapeOf(
      entityFetch('maker__alias_0:maker{id}', {
        outputRewrites: [{ kind: 'KeyRenamer', path: ['maker__alias_0'], renameKeyTo: 'maker' }],
      }),
    );
    const entity = { maker: { id: '1' } };
    const copy = shape.copyEntity(entity);
    expect(copy).toEqual(entity);
    expect(copy.maker).not.toBe(entity.maker);
  });
});
