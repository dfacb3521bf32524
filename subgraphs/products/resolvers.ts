import { type Currency, moneyOf } from '../shared/money.ts';
import { drawProductPicture } from '../shared/productPicture.ts';
import type { BrandRecord, CategoryRecord, MediaRecord, ProductRecord } from '../shared/records.ts';
import { DateTime, Decimal, JSONValue } from '../shared/scalars.ts';
import type { ResolverMap, SubgraphContext } from '../shared/subgraphDefinition.ts';
import type { ProductsStore } from './data.ts';

type Context = SubgraphContext<ProductsStore>;

interface CatalogArguments {
  readonly filter?: {
    readonly department?: string | null;
    readonly brandId?: string | null;
    readonly tags?: readonly string[] | null;
    readonly price?: { readonly min?: string | null; readonly max?: string | null } | null;
    readonly releasedAfter?: string | null;
  } | null;
  readonly sort: 'NAME' | 'PRICE_ASCENDING' | 'PRICE_DESCENDING' | 'NEWEST';
  readonly first: number;
  readonly after?: string | null;
}

type Order = (a: ProductRecord, b: ProductRecord) => number;

// Ties stay in the order of the store, because sorting is stable.
const orders: Readonly<Record<CatalogArguments['sort'], Order>> = {
  NAME: (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  PRICE_ASCENDING: (a, b) => a.priceCents - b.priceCents,
  PRICE_DESCENDING: (a, b) => b.priceCents - a.priceCents,
  NEWEST: (a, b) => Date.parse(b.releasedAt) - Date.parse(a.releasedAt),
};

const gramsPer = { GRAM: 1, KILOGRAM: 1000, POUND: 453.59237 } as const;

function matches(product: ProductRecord, filter: CatalogArguments['filter']): boolean {
  if (filter == null) return true;
  const { department, brandId, tags, price, releasedAfter } = filter;
  return (
    (department == null || product.department === department) &&
    (brandId == null || product.brandId === brandId) &&
    (tags == null || tags.every((tag) => product.tags.includes(tag))) &&
    (price?.min == null || product.priceCents >= Number(price.min) * 100) &&
    (price?.max == null || product.priceCents <= Number(price.max) * 100) &&
    (releasedAfter == null || Date.parse(product.releasedAt) > Date.parse(releasedAfter))
  );
}

function findCatalogPage(store: ProductsStore, { filter, sort, first, after }: CatalogArguments) {
  const found = store.products.filter((product) => matches(product, filter)).sort(orders[sort]);
  const start = after == null ? 0 : found.findIndex(({ id }) => id === after) + 1;
  const page = found.slice(start, start + Math.max(0, first));
  return {
    totalCount: found.length,
    edges: page.map((node) => ({ cursor: node.id, node })),
    pageInfo: { hasNextPage: start + page.length < found.length, endCursor: page.at(-1)?.id ?? null },
  };
}

function search(store: ProductsStore, text: string): unknown[] {
  const wanted = text.toLowerCase();
  const named = <T extends { name: string }>(items: readonly T[], typename: string) =>
    items
      .filter(({ name }) => name.toLowerCase().includes(wanted))
      .map((item) => ({ ...item, __typename: typename }));
  return [
    ...named(store.categories, 'Category'),
    ...named(store.brands, 'Brand'),
    ...named(store.products, 'Product'),
  ];
}

function takeFirst<T>(items: readonly T[], first: number | null | undefined): readonly T[] {
  return first == null ? items : items.slice(0, Math.max(0, first));
}

export const resolvers: ResolverMap<ProductsStore> = {
  DateTime,
  Decimal,
  JSON: JSONValue,
  Query: {
    product: (_root, { id }: { id: string }, { store }) => store.findById(id),
    productByUpc: (_root, { upc }: { upc: string }, { store }) => store.findByUpc(upc),
    products: (_root, { ids }: { ids: readonly string[] }, { store }) => ids.map((id) => store.findById(id)),
    topProducts: (_root, { first }: { first: number }, { store }) =>
      takeFirst(
        [...store.products].sort((a, b) => b.sold - a.sold),
        first,
      ),
    catalog: (_root, args: CatalogArguments, { store }) => findCatalogPage(store, args),
    categories: (_root, { department }: { department?: string | null }, { store }) =>
      store.categories.filter((category) => department == null || category.department === department),
    category: (_root, { department, slug }: { department: string; slug: string }, { store }) =>
      store.findCategory(department, slug),
    search: (_root, { text, first }: { text: string; first: number }, { store }) =>
      takeFirst(search(store, text), first),
    media: (_root, { id }: { id: string }, { store }) => store.findMedia(id),
  },
  Product: {
    __resolveReference: (reference: { id?: string; upc?: string }, { store }: Context) =>
      reference.id === undefined ? store.findByUpc(reference.upc ?? '') : store.findById(reference.id),
    description: ({ description }: ProductRecord, { maxLength }: { maxLength?: number | null }) =>
      maxLength == null || description.length <= maxLength
        ? description
        : `${description.slice(0, maxLength)}…`,
    brand: ({ brandId }: ProductRecord, _args, { store }) => store.findBrand(brandId),
    category: ({ department, categorySlug }: ProductRecord, _args, { store }) =>
      store.findCategory(department, categorySlug),
    price: ({ priceCents }: ProductRecord, { currency }: { currency: Currency }) =>
      moneyOf(priceCents, currency),
    listPrice: ({ listPriceCents }: ProductRecord, { currency }: { currency: Currency }) =>
      listPriceCents === null ? null : moneyOf(listPriceCents, currency),
    weight: ({ weightGrams }: ProductRecord, { unit }: { unit: keyof typeof gramsPer }) =>
      Math.round((weightGrams / gramsPer[unit]) * 1000) / 1000,
    media: ({ media }: ProductRecord, { first }: { first?: number | null }) => takeFirst(media, first),
    inStock: ({ lastKnownInStock }: ProductRecord) => lastKnownInStock,
    warranty: ({ warrantyMonths, brandId }: ProductRecord, _args, { store }) =>
      warrantyMonths === null
        ? null
        : { months: warrantyMonths, contact: store.findBrand(brandId)?.warrantyContact },
  },
  Category: {
    __resolveReference: ({ department, slug }: CategoryRecord, { store }: Context) =>
      store.findCategory(department, slug),
    products: ({ department, slug }: CategoryRecord, { first }: { first: number }, { store }) =>
      takeFirst(
        store.products.filter(
          (product) => product.department === department && product.categorySlug === slug,
        ),
        first,
      ),
  },
  Brand: {
    __resolveReference: ({ id }: { id: string }, { store }: Context) => store.findBrand(id),
    products: ({ id }: BrandRecord, { first }: { first: number }, { store }) =>
      takeFirst(
        store.products.filter(({ brandId }) => brandId === id),
        first,
      ),
  },
  Media: {
    __resolveReference: ({ id }: { id: string }, { store }: Context) => store.findMedia(id),
  },
  Image: {
    __resolveReference: ({ id }: { id: string }, { store }: Context) => store.findMedia(id),
    url: ({ id, alt, width, height }: MediaRecord & { __typename: 'Image' }) =>
      drawProductPicture(id, alt, width, height),
  },
  Video: {
    __resolveReference: ({ id }: { id: string }, { store }: Context) => store.findMedia(id),
    url: ({ id }: MediaRecord) => `https://films.shop.example/${id}.webm`,
  },
};
