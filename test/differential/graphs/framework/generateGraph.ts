import type { Graph, GraphObject } from './graph.ts';
import { GraphDraft } from './graphDraft.ts';
import { addRichTypes, jsonValues } from './richTypes.ts';

/** Generates a graph, the same for the same seed. `hasRichTypes`: with enums, custom scalars, input objects,
 *  values of several subgraphs, lists of lists, nested keys and inputs, and nulls where the type forbids them. */
export function generateGraph(seed: number, { hasRichTypes = false } = {}): Graph {
  const draft = new GraphDraft(seed);
  new GraphGenerator(draft).generate();
  if (hasRichTypes) addRichTypes(draft);
  return draft.finish({ json: jsonValues });
}

interface Scalar {
  readonly name: string;
  readonly type: string;
  /** The subgraphs that resolve it. */
  readonly owners: string[];
}

const scalarTypes: Readonly<Record<string, string>> = {
  f0: 'String',
  f1: 'Int',
  f2: 'String!',
  f3: '[String!]',
  f4: '(of: Int = 0): String',
  f5: 'Boolean',
};

class GraphGenerator {
  readonly #draft: GraphDraft;
  readonly #scalars = new Map<string, Scalar[]>();
  /** `subgraph type field` of a `@provides`. There, the planner may fetch a field that requires it without a representation. */
  readonly #provided = new Set<string>();

  constructor(draft: GraphDraft) {
    this.#draft = draft;
  }

  generate(): void {
    const { random, entities, subgraphs } = this.#draft;
    this.#placeEntities();
    this.#placeAbstractTypes();
    if (random.chance(0.5)) this.#addContext();
    for (const name of entities) this.#addScalars(name);
    for (const name of entities) this.#addRelations(name);
    for (const name of entities) this.#addRequirements(name);
    for (const name of subgraphs) this.#addRoots(name);
  }

  #addEntity(subgraph: string, name: string, keys: readonly string[]): void {
    const draft = this.#draft;
    const type = draft.type(subgraph, name);
    for (const key of keys) {
      type.directives.add(`@key(fields: "${key}")`);
      for (const field of key.split(' ')) type.fields.set(field, ': ID!');
    }
  }

  #placeEntities(): void {
    const draft = this.#draft;
    const { random } = draft;
    for (const name of draft.entities) {
      this.#addEntity('a', name, ['id', 'code']);
      for (const subgraph of draft.subgraphs.slice(1)) {
        if (subgraph === draft.objectSubgraph && draft.members.includes(name)) continue;
        if (random.chance(0.65))
          this.#addEntity(subgraph, name, random.pick([['id'], ['code'], ['id', 'code'], ['id code']]));
      }
    }
  }

  #placeAbstractTypes(): void {
    const draft = this.#draft;
    const { random } = draft;
    this.#implement('a', 'I', draft.members, '@key(fields: "id")');
    for (const name of draft.members) draft.declare('a', name, 'common', ': String');
    draft.declare('a', 'I', 'common', ': String');
    for (const subgraph of draft.subgraphs.slice(1)) {
      const present = draft.members.filter((name) => draft.type(subgraph, name).fields.has('id'));
      for (const name of draft.members)
        if (draft.type(subgraph, name).fields.size === 0) draft.removeType(subgraph, name);
      if (present.length > 0 && random.chance(0.5)) this.#implement(subgraph, 'I', present, '');
    }
    if (random.chance(0.6)) this.#implement('a', 'J', random.sample(draft.entities, 2), '');
    const union = random.sample(draft.entities, 2);
    draft.type('a', 'V').fields.set('text', ': String');
    draft.type('a', `U = ${[...union, 'V'].join(' | ')}`, 'union');
    if (draft.objectSubgraph === undefined) return;
    const object = draft.type(draft.objectSubgraph, 'I');
    object.directives.add('@key(fields: "id") @interfaceObject');
    object.fields.set('id', ': ID!').set('added', ': String').set('score', '(of: Int = 1): Int!');
    if (random.chance(0.5)) {
      object.fields.set('common', ': String @external');
      object.fields.set('computed', ': String @requires(fields: "common")');
    }
  }

  #implement(subgraph: string, name: string, members: readonly string[], directives: string): void {
    const draft = this.#draft;
    const type = draft.type(subgraph, name, 'interface');
    type.fields.set('id', ': ID!');
    if (directives !== '') type.directives.add(directives);
    for (const member of members) draft.type(subgraph, member).directives.add(`implements ${name}`);
  }

  /** `L` is only below members of `I`, which set a context. */
  #addContext(): void {
    const draft = this.#draft;
    const { random } = draft;
    const subgraph = random.pick(draft.subgraphs.filter((name) => name !== draft.objectSubgraph));
    for (const owner of new Set(['a', subgraph])) this.#addEntity(owner, 'L', ['id']);
    draft.createObjects('L');
    for (const name of [...draft.members, 'I']) draft.declare('a', name, 'leaves', ': [L!]');
    draft.resolvers['I.leaves'] = (self: GraphObject) => draft.choose('L', `${self.id} leaves`, true);
    for (const name of draft.members) {
      if (subgraph !== 'a') this.#addEntity(subgraph, name, ['id']);
      draft.type(subgraph, name).directives.add('@context(name: "ctx")');
      draft.declare(subgraph, name, 'tone', ': String! @shareable');
      if (random.chance(0.5)) draft.declare('a', name, 'tone', ': String! @shareable');
    }
    draft.declare('a', 'L', 'size', ': Int');
    draft.declare(subgraph, 'L', 'text', '(tone: String @fromContext(field: "$ctx { tone }")): String');
    draft.declare(
      subgraph,
      'L',
      'note',
      '(loud: Boolean, tone: String @fromContext(field: "$ctx { tone }")): String',
    );
  }

  #addScalars(name: string): void {
    const draft = this.#draft;
    const { random } = draft;
    const scalars: Scalar[] = [];
    this.#scalars.set(name, scalars);
    const present = draft.subgraphsOf(name);
    for (const [field, type] of Object.entries(scalarTypes)) {
      if (random.chance(0.35)) continue;
      const text = type.startsWith('(') ? type : `: ${type}`;
      const owners = random.sample(present, random.chance(0.3) ? 2 : 1);
      const [first, second] = owners as [string, string | undefined];
      const hidden = random.chance(0.1) && second === undefined ? ' @inaccessible' : '';
      if (second === undefined) draft.declare(first, name, field, `${text}${hidden}`);
      else if (random.chance(0.4)) {
        draft.declare(first, name, field, text);
        const label = random.chance(0.3) ? ', label: "percent(100)"' : '';
        draft.declare(second, name, field, `${text} @override(from: "${first}"${label})`);
        owners.shift();
      } else for (const owner of owners) draft.declare(owner, name, field, `${text} @shareable`);
      scalars.push({ name: field, type: text, owners });
    }
  }

  #addRelations(name: string): void {
    const draft = this.#draft;
    const { random } = draft;
    for (const subgraph of draft.subgraphsOf(name)) {
      const targets = draft.targetsIn(subgraph);
      for (const target of random.sample(targets, random.integer(0, 2))) {
        const isList = random.chance(0.5);
        const provided = random.chance(0.4) ? this.#provide(subgraph, target) : '';
        draft.relate(subgraph, name, `${subgraph}${target}`, target, isList, provided);
      }
    }
    if (draft.objectSubgraph === undefined || name !== draft.entities[0]) return;
    const subgraph = draft.objectSubgraph;
    for (const target of random.sample(draft.targetsIn(subgraph), 1))
      draft.relate(subgraph, 'I', `${subgraph}${target}`, target, random.chance(0.5), '');
  }

  /** A `@provides` of a scalar of the target that another subgraph resolves. */
  #provide(subgraph: string, target: string): string {
    const draft = this.#draft;
    const scalar = draft.random.pick([
      undefined,
      ...(this.#scalars.get(target) ?? []).filter(
        ({ owners, name }) =>
          name !== 'f4' && !owners.includes(subgraph) && !draft.type(subgraph, target).fields.has(name),
      ),
    ]);
    if (scalar === undefined) return '';
    draft.declare(subgraph, target, scalar.name, `${scalar.type} @external`);
    this.#provided.add(`${subgraph} ${target} ${scalar.name}`);
    for (const owner of scalar.owners) {
      const text = draft.type(owner, target).fields.get(scalar.name) as string;
      if (!text.includes('@shareable')) draft.declare(owner, target, scalar.name, `${text} @shareable`);
    }
    return ` @provides(fields: "${scalar.name}")`;
  }

  #addRequirements(name: string): void {
    const draft = this.#draft;
    const { random } = draft;
    for (const subgraph of draft.subgraphsOf(name)) {
      const type = draft.type(subgraph, name);
      for (let index = 0; index < 2; index++) {
        const inputs = (this.#scalars.get(name) ?? []).filter(
          ({ owners, name: field }) =>
            !owners.includes(subgraph) &&
            !this.#provided.has(`${subgraph} ${name} ${field}`) &&
            (type.fields.get(field)?.includes('@external') ?? true),
        );
        if (inputs.length === 0 || random.chance(0.4)) continue;
        const chosen = random.sample(inputs, random.integer(1, 2));
        for (const input of chosen) {
          draft.declare(subgraph, name, input.name, `${input.type} @external`);
          for (const owner of input.owners) this.#removeOverrideLabel(owner, name, input.name);
        }
        const fields = chosen.map(({ name: field }) =>
          field === 'f4' && random.chance(0.6) ? `f4(of: ${random.integer(0, 2)})` : field,
        );
        const computed = `${subgraph}r${index}`;
        draft.declare(subgraph, name, computed, `: String @requires(fields: "${fields.join(' ')}")`);
        // A field of another subgraph may require it.
        this.#scalars.get(name)?.push({ name: computed, type: ': String', owners: [subgraph] });
      }
    }
  }

  /** The composer refuses a `@requires` of a field with an override label: it looks for a subgraph that resolves the field
   *  while the label is neither active nor inactive, and finds none. */
  #removeOverrideLabel(subgraph: string, name: string, field: string): void {
    const draft = this.#draft;
    const fields = draft.type(subgraph, name).fields;
    fields.set(field, (fields.get(field) as string).replace(/, label: "[^"]+"/, ''));
  }

  #addRoots(subgraph: string): void {
    const draft = this.#draft;
    const { random } = draft;
    const targets = draft.targetsIn(subgraph);
    for (const target of random.sample(targets, random.integer(1, 3)))
      draft.relate(subgraph, 'Query', `${subgraph}${target}`, target, random.chance(0.6), '');
    if (subgraph === 'a' || subgraph === draft.objectSubgraph)
      draft.relate(subgraph, 'Query', `${subgraph}Tops`, 'I', true, '');
  }
}
