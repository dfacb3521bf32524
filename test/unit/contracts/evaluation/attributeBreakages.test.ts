import { describe, expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import { attributeBreakages } from '../../../../contracts/evaluation/attributeBreakages.ts';
import type { Breakage } from '../../../../contracts/evaluation/breakage.ts';
import type { Finding } from '../../../../contracts/finding.ts';

const text = `
  type Query { film: Film shelf(by: By, sort: Sort): Shelf hit: Hit }
  interface Titled { title: String sort: Sort }
  interface Rated { stars: Int }
  interface Scored { stars: Int }
  type Film implements Titled & Rated & Scored { title: String sort: Sort stars: Int maker: Person code: Int next: Titled }
  type Book implements Titled { title: String sort: Sort }
  type Person { name: String }
  type Studio { name: String }
  type Shelf { size: Int }
  union Hit = Film | Book
  input By { size: Int sort: Sort }
  enum Sort { SIZE }
`;
const old = buildSchema(text);
const next = buildSchema(
  text
    .replace('Titled & Rated & Scored', 'Titled & Scored')
    .replace('maker: Person', 'maker: Studio')
    .replace('next: Titled', 'next: Hit'),
);
const operation = {
  consumer: 'shop',
  name: 'Page',
  document: parse('{ film { maker { name } } }'),
  location: { file: '', line: 1, column: 1 },
  slo: {},
};

function changeAt(rule: Finding['rule'], coordinate?: string, details: Partial<Finding> = {}): Finding {
  return { rule, severity: 'breaking', message: '', subgraph: 'a', coordinate, ...details };
}

/** What a breakage is attributed to. */
function causesOf(
  changes: readonly Finding[],
  coordinates: readonly string[],
  details: Partial<Breakage> = {},
) {
  const breakage: Breakage = {
    operation,
    phase: 'after rollout',
    subgraph: undefined,
    message: '',
    coordinates,
    ...details,
  };
  const { byChange, unattributed } = attributeBreakages(changes, [breakage], { old, next });
  expect(unattributed.length === 0).toBe(byChange.size > 0);
  return [...byChange.keys()].map(({ rule, coordinate }) => [rule, coordinate].filter(Boolean).join(' '));
}

const safe = { severity: 'safe' } as const;

describe('a breakage is attributed', () => {
  test('to the changes of its element, of each subgraph unless it is about one', () => {
    const changes = [
      changeAt('field-removed', 'Film.code'),
      changeAt('argument-removed', 'Film.code', { subgraph: 'b' }),
      changeAt('field-removed', 'Film.codes'),
    ];
    expect(causesOf(changes, ['Film.code'])).toEqual([
      'field-removed Film.code',
      'argument-removed Film.code',
    ]);
    expect(causesOf(changes, ['Film.code'], { subgraph: 'b' })).toEqual(['argument-removed Film.code']);
    expect(causesOf(changes, ['Shelf.size'])).toEqual([]);
  });

  test('to a change of what contains the element, if it explains changes of members', () => {
    expect(causesOf([changeAt('type-removed', 'Film')], ['Film.code'])).toEqual(['type-removed Film']);
    expect(causesOf([changeAt('field-removed', 'Query.shelf')], ['Query.shelf(by:)'])).toEqual([
      'field-removed Query.shelf',
    ]);
    expect(causesOf([changeAt('key-removed', 'Film')], ['Film.code'])).toEqual([]);
    expect(causesOf([changeAt('type-removed', 'Fil')], ['Film.code'])).toEqual([]);
  });

  test('in a rollout only to losses for old gateways, and to gains for new ones', () => {
    const changes = [
      changeAt('key-removed', 'Film'),
      changeAt('key-added', 'Film'),
      changeAt('context-added', 'Film'),
    ];
    expect(causesOf(changes, ['Film'], { phase: 'old gateways', subgraph: 'a' })).toEqual([
      'key-removed Film',
      'context-added Film',
    ]);
    expect(causesOf(changes, ['Film'], { phase: 'new gateways', subgraph: 'a' })).toEqual([
      'key-added Film',
      'context-added Film',
    ]);
    expect(causesOf(changes, ['Film'])).toHaveLength(3);
    const addition = changeAt('field-added', 'Film.code');
    expect(causesOf([addition], ['Film.code'], { phase: 'old gateways', subgraph: 'a' })).toHaveLength(1);
  });

  test('to a safe change only if no worse one explains it, and after the rollout not to an addition', () => {
    const removed = changeAt('field-removed', 'Film.code');
    const hidden = changeAt('shareable-added', 'Film.code', safe);
    const added = changeAt('field-added', 'Film.code', safe);
    const served = changeAt('override-added', 'Film.code', safe);
    expect(causesOf([removed, hidden, added], ['Film.code'])).toEqual(['field-removed Film.code']);
    expect(causesOf([hidden, added, served], ['Film.code'])).toEqual(['shareable-added Film.code']);
    expect(causesOf([added], ['Film.code'])).toEqual(['field-added Film.code']);
    expect(causesOf([hidden, added], ['Film.code'], { phase: 'new gateways', subgraph: 'a' })).toHaveLength(
      2,
    );
  });

  test('to the member of a union that it is about', () => {
    const members = ['Film', 'Book'].map((name) =>
      changeAt('union-member-removed', 'Hit', {
        message: `Member '${name}' was removed from Union type 'Hit'`,
      }),
    );
    const [film = changeAt('type-removed')] = members;
    expect(
      attributeBreakages(members, [breakageAt('Hit', 'Film')], { old, next })
        .byChange.keys()
        .toArray(),
    ).toEqual([film]);
    expect(causesOf(members, ['Hit'])).toHaveLength(2);
    // A change of the union itself, and the same member of another union.
    const hidden = changeAt('inaccessible-added', 'Hit');
    expect(causesOf([hidden, ...members], ['Hit', 'Film'])).toEqual([
      'inaccessible-added Hit',
      'union-member-removed Hit',
    ]);
    const [, book = film] = members;
    expect(causesOf([{ ...film, coordinate: 'Found' }, book], ['Hit', 'Film'])).toEqual([
      'union-member-removed Found',
      'union-member-removed Hit',
    ]);
    expect(causesOf(members, ['Film'])).toHaveLength(1);
  });

  test('to the fields that a changed @provides provides, and to another kind of the type', () => {
    expect(causesOf([changeAt('provides-removed', 'Query.film')], ['Film.code'])).toHaveLength(1);
    expect(causesOf([changeAt('provides-removed', 'Query.film')], ['Films.code'])).toEqual([]);
    expect(causesOf([changeAt('requires-removed', 'Query.film')], ['Film.code'])).toEqual([]);
    const kind = (name: string) => changeAt('type-kind-changed', name);
    expect(causesOf([kind('Sort')], ['Query.shelf(sort:)'])).toHaveLength(1);
    expect(causesOf([kind('Sort')], ['By.sort'])).toHaveLength(1);
    expect(causesOf([kind('Sort')], ['Titled.sort'])).toHaveLength(1);
    expect(causesOf([kind('By')], ['Query.shelf(sort:)'])).toEqual([]);
    expect(causesOf([kind('Shelf')], ['Query.shelf'])).toHaveLength(1);
    expect(causesOf([changeAt('key-removed', 'Shelf')], ['Query.shelf'])).toEqual([]);
  });

  test('to a change of an interface from which the type has the field', () => {
    expect(causesOf([changeAt('field-removed', 'Titled.title')], ['Film.title'])).toHaveLength(1);
    expect(causesOf([changeAt('field-removed', 'Titled.title')], ['Shelf.size', 'Film.title'])).toHaveLength(
      1,
    );
    expect(causesOf([changeAt('field-removed', 'Titled.title')], ['Film.code'])).toEqual([]);
    expect(causesOf([changeAt('field-removed', 'Titled.title')], ['Film.title'], { subgraph: 'b' })).toEqual(
      [],
    );
    expect(causesOf([changeAt('interface-removed', 'Book')], ['Film.stars'])).toEqual([]);
    const left = changeAt('interface-removed', 'Film');
    expect(causesOf([left], ['Film.stars'])).toHaveLength(1);
    expect(causesOf([left], ['Film.title'])).toEqual([]);
    expect(causesOf([changeAt('interface-added', 'Film')], ['Film.stars'])).toEqual([]);
    // A fragment on an interface that no type has any more.
    expect(causesOf([left], ['Rated'])).toHaveLength(1);
    expect(causesOf([left], ['Titled'])).toEqual([]);
    expect(causesOf([changeAt('interface-added', 'Film')], ['Rated'])).toEqual([]);
    for (const affected of ['Film.stars', 'Rated']) {
      expect(causesOf([left], [affected], { phase: 'old gateways', subgraph: 'a' })).toHaveLength(1);
      expect(causesOf([left], [affected], { phase: 'old gateways', subgraph: 'b' })).toEqual([]);
    }
  });

  test('to a field of another type, from which the operation selects what is gone', () => {
    const changed = changeAt('field-type-changed', 'Film.maker');
    expect(causesOf([changed], ['Studio.name'])).toHaveLength(1);
    expect(causesOf([changed], ['Person.name'], { subgraph: 'a' })).toHaveLength(1);
    expect(causesOf([changed], ['Person.name'], { subgraph: 'b' })).toEqual([]);
    expect(causesOf([changed], ['Shelf.size', 'Studio.name'])).toHaveLength(1);
    expect(causesOf([changed], ['Shelf.size'])).toEqual([]);
    // One of the types of the interface or the union.
    const related = { ...operation, document: parse('{ film { next { title } } }') };
    const ofFilm = changeAt('field-type-changed', 'Film.next');
    expect(causesOf([ofFilm], ['Book.title'], { operation: related })).toHaveLength(1);
    expect(causesOf([changeAt('field-type-changed', 'Query.shelf')], ['Shelf.gone'])).toEqual([]);
    const other = { ...operation, document: parse('{ shelf { size } }') };
    // The type has the same name, and another change is none of the type.
    const sameName = changeAt('field-type-changed', 'Query.shelf');
    expect(causesOf([sameName], ['Shelf.gone'], { operation: other })).toEqual([]);
    expect(causesOf([changeAt('deprecation-added', 'Film.maker')], ['Studio.name'])).toEqual([]);
    expect(causesOf([{ ...changed, rule: 'external-field-type-changed' }], ['Studio.name'])).toHaveLength(1);
    expect(causesOf([changed], ['Studio.name'], { operation: other })).toEqual([]);
    // Although the two breakages are equal in all but their operations.
    const both = [breakageAt('Studio.name'), { ...breakageAt('Studio.name'), operation: other }];
    const { byChange, unattributed } = attributeBreakages([changed], both, { old, next });
    expect([byChange.get(changed), unattributed]).toEqual([both.slice(0, 1), both.slice(1)]);
  });

  test('to a subgraph as a whole if nothing else explains it', () => {
    const [gone, added] = [
      changeAt('subgraph-removed'),
      changeAt('subgraph-added', undefined, { subgraph: 'b' }),
    ];
    expect(causesOf([gone, added], ['Film.code'])).toEqual(['subgraph-removed', 'subgraph-added']);
    expect(causesOf([gone, added], ['Film.code'], { subgraph: 'b' })).toEqual(['subgraph-added']);
    expect(causesOf([gone, changeAt('field-removed', 'Film.code')], ['Film.code'])).toEqual([
      'field-removed Film.code',
    ]);
    expect(causesOf([changeAt('subgraph-url-changed')], ['Film.code'])).toEqual([]);
  });
});

function breakageAt(...coordinates: readonly string[]): Breakage {
  return { operation, phase: 'after rollout', subgraph: undefined, message: '', coordinates };
}
