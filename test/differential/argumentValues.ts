/** Values for generated arguments, by `Type.field(argument`, by `Input.field`, or by name alone. Some of them find
 *  nothing. For a list, these are the values of its elements. */
export const argumentValues: Readonly<Record<string, readonly unknown[]>> = {
  'Query.account(id': ['a1', 'a5', 'a11', 'nobody'],
  'Query.product(id': ['p1', 'p2', 'p40', 'p77', 'p199', 'nothing'],
  'Query.products(ids': ['p1', 'p2', 'p3', 'p60', 'missing'],
  'Query.review(id': ['r1', 'r10', 'r500', 'nothing'],
  'Query.media(id': ['p1-m1', 'p2-m1', 'p23-m2', 'nothing'],
  'ProductFilter.brandId': ['b1', 'b2', 'b3'],
  'ProductFilter.tags': ['waterproof', 'gift', 'induction'],
  'ProductFilter.releasedAfter': ['2021-06-01T00:00:00Z', '2024-01-01T00:00:00Z'],
  'ReviewFilter.writtenAfter': ['2023-01-01T00:00:00Z'],
  'ReviewFilter.ratings': [1, 4, 5],
  after: ['nothing'],
  below: [0, 4, 9],
  code: ['AMS', 'WRO', 'XXX'],
  // Never null and never a large default, so that responses stay small.
  first: [0, 1, 2, 3],
  max: ['80', '120.50'],
  maxLength: [0, 12, 400],
  min: ['20'],
  slug: ['lamps', 'cookware', 'tents', 'nothing'],
  text: ['la', 'tinder', 'zzz'],
  upc: ['2000000131474', '2000000055433', '0'],
  username: ['keen-lynx', 'amber-badger', 'nobody'],
};
