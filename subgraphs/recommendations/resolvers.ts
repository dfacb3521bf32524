import type { ProductReference, RecommendationsData } from '../shared/records.ts';
import type { ResolverMap, SubgraphContext } from '../shared/subgraphDefinition.ts';
import type { RecommendationsStore } from './data.ts';

type Context = SubgraphContext<RecommendationsStore>;
type CategoryTrend = RecommendationsData['categories'][number];

/** The fields that `Product.popularity` requires. */
interface PopularityParent {
  readonly averageRating: number | null;
  readonly reviewCount: number | null;
}

const sufficientStock = 5;
const reorderUpTo = 40;

function takeFirst<T>(items: readonly T[], first: number): readonly T[] {
  return items.slice(0, Math.max(0, first));
}

/** The weight of good ratings grows with their number. */
function scorePopularity({ averageRating, reviewCount }: PopularityParent): number {
  if (averageRating === null || reviewCount === null) return 0;
  return Math.round((averageRating / 5) * (1 - 1 / (1 + reviewCount)) * 1000) / 1000;
}

export const resolvers: ResolverMap<RecommendationsStore> = {
  Query: {
    trending: (_root, { department, first }: { department?: string | null; first: number }, { store }) =>
      takeFirst(
        store.trends
          .filter((category) => department == null || category.department === department)
          .flatMap(({ trending }) => trending.slice(0, 2)),
        first,
      ),
  },
  Product: {
    // Returns the fields of the reference too, because it carries the required fields.
    __resolveReference(reference: Partial<ProductReference>, { store }: Context) {
      const product = store.findProduct(reference);
      return product === null ? null : { ...reference, id: product.id, upc: product.upc };
    },
    recommended: (parent: ProductReference, { first }: { first: number }, { store }) =>
      takeFirst(store.findProduct(parent)?.recommended ?? [], first),
    boughtTogether: (parent: ProductReference, _args, { store }) =>
      store.findProduct(parent)?.boughtTogether ?? [],
    popularity: (parent: PopularityParent) => scorePopularity(parent),
  },
  Category: {
    __resolveReference: ({ department, slug }: CategoryTrend, { store }: Context) =>
      store.findTrend(department, slug),
    trending: ({ department, slug }: CategoryTrend, { first }: { first: number }, { store }) =>
      takeFirst(store.findTrend(department, slug)?.trending ?? [], first),
  },
  Account: {
    __resolveReference: (reference: { username: string }) => reference,
    suggestions: ({ username }: { username: string }, { first }: { first: number }, { store }) =>
      takeFirst(store.listSuggestions(username), first),
  },
  StockItem: {
    __resolveReference: (reference: object) => reference,
    // Returns both keys, although the reference has only one of them.
    product: ({ product }: { product: Partial<ProductReference> }, _args, { store }) =>
      store.findProduct(product),
    reorder: ({ quantity }: { quantity: number }) =>
      quantity < sufficientStock ? reorderUpTo - quantity : null,
  },
};
