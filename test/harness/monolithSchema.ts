import {
  buildASTSchema,
  defaultFieldResolver,
  type GraphQLFieldResolver,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  GraphQLScalarType,
  type GraphQLSchema,
  isAbstractType,
  isObjectType,
} from 'graphql';
import { type DemoSubgraphName, demoDefinitions } from '../../subgraphs/demo.ts';
import type {
  FieldResolver,
  StoreOptions,
  SubgraphContext,
  SubscriptionResolver,
  TypeResolvers,
} from '../../subgraphs/shared/subgraphDefinition.ts';
import { type MergedTypeDefs, mergeTypeDefs } from './mergeTypeDefs.ts';

/** The data of all subgraphs. */
export type DemoStore = {
  readonly [Name in DemoSubgraphName]: ReturnType<(typeof demoDefinitions)[Name]['createStore']>;
};

/** The context of the monolith's resolvers. Has the same identity as `authorization: Demo <account id>`. */
interface MonolithContext {
  readonly store: DemoStore;
  readonly viewerId: string | null;
  readonly signal: AbortSignal;
}

type Parent = Readonly<Record<string, unknown>>;

/** Resolves a field of the same parent, like a field that a client selects. */
type CallField = (typeName: string, fieldName: string, parent: unknown, args?: object) => unknown;

/** Creates new data, equal to that of newly started subgraphs. */
export function createStore(options: StoreOptions = {}): DemoStore {
  return {
    accounts: demoDefinitions.accounts.createStore(options),
    products: demoDefinitions.products.createStore(options),
    inventory: demoDefinitions.inventory.createStore(options),
    reviews: demoDefinitions.reviews.createStore(options),
    recommendations: demoDefinitions.recommendations.createStore(options),
  };
}

export function createContext(store: DemoStore, viewerId: string | null = null): MonolithContext {
  return { store, viewerId, signal: new AbortController().signal };
}

/** All keys of an entity, from any key that a parent has; null if the entity does not exist. */
const identify: Readonly<Record<string, (parent: Parent, store: DemoStore) => Parent | null>> = {
  Account({ id, username }, { accounts }) {
    const found =
      id === undefined ? accounts.findByUsername(String(username)) : accounts.findById(String(id));
    return found && { id: found.id, username: found.username };
  },
  Product({ id, upc }, { products }) {
    const found = id === undefined ? products.findByUpc(String(upc)) : products.findById(String(id));
    return found && { id: found.id, upc: found.upc };
  },
  Category: ({ department, slug }) => ({ department, slug }),
  Brand: ({ id }) => ({ id }),
  Image: ({ id }) => ({ id }),
  Video: ({ id }) => ({ id }),
  Review: ({ id }) => ({ id }),
  Question: ({ id }) => ({ id }),
  Warehouse: ({ code }) => ({ code }),
  StockItem: ({ upc, warehouseCode }) => ({ product: { upc }, warehouse: { code: warehouseCode } }),
};

/** The selection of each `@requires`, resolved by this schema. */
const required: Readonly<Record<string, (parent: unknown, call: CallField) => Parent>> = {
  'Product.shippingEstimate': (product, call) => ({
    price: call('Product', 'price', product, { currency: 'EUR' }),
    weight: call('Product', 'weight', product, { unit: 'KILOGRAM' }),
  }),
  'Product.box': (product, call) => ({ dimensions: call('Product', 'dimensions', product) }),
  'Product.headline': (product, call) => ({
    name: call('Product', 'name', product),
    brand: { name: call('Brand', 'name', call('Product', 'brand', product)) },
  }),
  'Product.popularity': (product, call) => ({
    averageRating: call('Product', 'averageRating', product),
    reviewCount: call('Product', 'reviewCount', product),
  }),
  'StockItem.reorder': (item, call) => ({ quantity: call('StockItem', 'quantity', item) }),
};

/** Builds one ordinary schema over the subgraphs' resolvers, to compare the gateway's responses with. It is
 *  stateless: the store of the context has the state. See `createContext`. */
export function buildMonolith(): GraphQLSchema {
  const definitions = Object.entries(demoDefinitions);
  const merged = mergeTypeDefs(new Map(definitions.map(([name, { typeDefs }]) => [name, typeDefs])));
  const schema = buildASTSchema(merged.document);
  rejectUnknown('identify', merged.entities, identify, (name) => isAbstractType(schema.getType(name)));
  rejectUnknown('required', merged.fieldsWithRequires, required);

  for (const type of Object.values(schema.getTypeMap())) {
    if (type instanceof GraphQLScalarType) installScalar(type);
    if (isObjectType(type) && !type.name.startsWith('__')) installResolvers(type, merged);
  }
  const media = schema.getType('Media');
  if (isAbstractType(media)) {
    media.resolveType = ({ id }: { id: string }, { store }: MonolithContext) =>
      store.products.findMedia(id)?.__typename;
  }
  return schema;
}

function rejectUnknown(
  table: string,
  names: Iterable<string>,
  entries: Readonly<Record<string, unknown>>,
  isExempt: (name: string) => boolean = () => false,
): void {
  for (const name of names) {
    if (!(name in entries) && !isExempt(name)) throw new Error(`The monolith's \`${table}\` lacks ${name}`);
  }
}

/** Replaces the scalar of the SDL by the subgraphs' own. */
function installScalar(scalar: GraphQLScalarType): void {
  for (const { resolvers } of Object.values(demoDefinitions)) {
    const own = (resolvers as Readonly<Record<string, unknown>>)[scalar.name];
    if (!(own instanceof GraphQLScalarType)) continue;
    scalar.serialize = own.serialize;
    scalar.parseValue = own.parseValue;
    scalar.parseLiteral = own.parseLiteral;
  }
}

function contextOf(subgraph: DemoSubgraphName, { store, viewerId, signal }: MonolithContext) {
  return { store: store[subgraph], viewerId, signal } as SubgraphContext<never>;
}

/** The resolvers of the type in that subgraph; empty if all fields use the default resolver. */
function resolversOf(subgraph: DemoSubgraphName, typeName: string): TypeResolvers<never> {
  const { resolvers } = demoDefinitions[subgraph];
  return ((resolvers as Readonly<Record<string, unknown>>)[typeName] ?? {}) as TypeResolvers<never>;
}

function installResolvers(type: GraphQLObjectType, merged: MergedTypeDefs): void {
  for (const field of Object.values(type.getFields())) {
    const coordinate = `${type.name}.${field.name}`;
    const subgraph = merged.owners.get(coordinate) as DemoSubgraphName;
    const nameThere = merged.interfaceObjects.get(`${type.name} ${subgraph}`) ?? type.name;
    const own = resolversOf(subgraph, nameThere)[field.name];
    const resolve = own === undefined ? defaultFieldResolver : typeof own === 'function' ? own : own.resolve;
    if (own !== undefined && typeof own !== 'function') {
      field.subscribe = (root, args, context: MonolithContext) =>
        (own.subscribe as LooseResolver<SubscriptionResolver<never>['subscribe']>)(
          root,
          args,
          contextOf(subgraph, context),
        );
    }
    field.resolve = (parent: Parent, args, context: MonolithContext, info) => {
      const seen = merged.entities.has(type.name)
        ? findParent(
            parent,
            { typeName: type.name, subgraphTypeName: nameThere, coordinate, subgraph },
            context,
            info,
          )
        : parent;
      if (seen === null) return null;
      return (resolve as GraphQLFieldResolver<unknown, unknown>)(
        seen,
        args,
        contextOf(subgraph, context),
        info,
      );
    };
  }
}

type LooseResolver<F> = F extends (...args: never[]) => infer Result ? (...args: unknown[]) => Result : never;

interface OwnedField {
  readonly typeName: string;
  readonly subgraphTypeName: string;
  readonly coordinate: string;
  readonly subgraph: DemoSubgraphName;
}

/** The entity as the field's subgraph knows it, whichever subgraph the parent comes from. */
function findParent(
  parent: Parent,
  { typeName, subgraphTypeName, coordinate, subgraph }: OwnedField,
  context: MonolithContext,
  info: GraphQLResolveInfo,
): Parent | null {
  const keys = identify[typeName]?.(parent, context.store) ?? null;
  if (keys === null) return null;
  const call: CallField = (calledType, fieldName, calledParent, args = {}) => {
    const type = info.schema.getType(calledType) as GraphQLObjectType;
    // Default resolvers read the field that `info` names.
    return type.getFields()[fieldName]?.resolve?.(calledParent, args, context, { ...info, fieldName });
  };
  const reference = { ...keys, ...required[coordinate]?.(parent, call) };
  const resolveReference = resolversOf(subgraph, subgraphTypeName).__resolveReference as
    | LooseResolver<FieldResolver<never>>
    | undefined;
  // `__resolveReference` has two parameters, but the type of resolvers is that of fields.
  const resolveThere = resolveReference as
    | ((reference: Parent, context: unknown) => Parent | null)
    | undefined;
  return resolveThere === undefined ? reference : resolveThere(reference, contextOf(subgraph, context));
}
