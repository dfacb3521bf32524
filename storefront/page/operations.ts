import { gql, type TypedDocumentNode } from '@apollo/client';

export type Department = 'KITCHEN' | 'OUTDOOR' | 'HOME' | 'OFFICE';
export type ProductSort = 'NAME' | 'PRICE_ASCENDING' | 'PRICE_DESCENDING' | 'NEWEST';

export interface Money {
  readonly amount: string;
  readonly currency: string;
}

export interface Stock {
  readonly total: number;
  readonly status: 'AVAILABLE' | 'LOW' | 'SOLD_OUT';
}

/** The fields of a product that only the products subgraph resolves. */
export interface TileProduct {
  readonly id: string;
  readonly name: string;
  readonly brand: { readonly id: string; readonly name: string };
  readonly price: Money;
}

/** Ratings and stock are `null` while they are pending, or after their subgraph failed. */
export interface CardProduct extends TileProduct {
  readonly averageRating: number | null;
  readonly reviewCount: number | null;
  readonly stock: Stock | null;
}

export interface Review {
  readonly id: string;
  readonly rating: number;
  readonly title: string | null;
  readonly body: string;
  readonly createdAt: string;
  readonly isVerifiedPurchase: boolean;
  /** The display name is `null` if the accounts subgraph failed; the reviews subgraph provides the username. */
  readonly author: { readonly id: string; readonly username: string; readonly displayName: string | null };
}

/** The deferrable fields are absent until their payload arrives, and `null` while they are pending or after they failed. */
export interface ProductDetails extends TileProduct {
  readonly upc: string;
  readonly tagline: string | null;
  readonly description: string;
  readonly listPrice: Money | null;
  readonly category: { readonly department: Department; readonly slug: string; readonly name: string };
  readonly stock?: Stock | null;
  readonly averageRating?: number | null;
  readonly reviewCount?: number | null;
  readonly reviews?: readonly Review[] | null;
  readonly recommended?: readonly TileProduct[] | null;
}

interface CatalogueData {
  readonly catalog: {
    readonly totalCount: number;
    readonly edges: readonly { readonly cursor: string; readonly node: CardProduct }[];
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
  };
}

interface CatalogueVariables {
  readonly filter?: { readonly department: Department };
  readonly sort: ProductSort;
  readonly after?: string | null;
}

interface ProductData {
  readonly product: ProductDetails | null;
}

interface ProductVariables {
  readonly id: string;
}

interface StockedProduct {
  readonly stock: Stock | null;
}

interface StockChangedData {
  readonly stockChanged: { readonly item: { readonly product: StockedProduct } };
}

interface ReserveStockData {
  readonly reserveStock:
    | { readonly __typename: 'Reservation'; readonly items: readonly { readonly product: StockedProduct }[] }
    | { readonly __typename: 'OutOfStock'; readonly available: number };
}

interface StockVariables {
  readonly upc: string;
}

const tileFields = gql`
  fragment TileFields on Product {
    id
    name
    brand {
      id
      name
    }
    price {
      amount
      currency
    }
  }
`;

export const catalogueQuery: TypedDocumentNode<CatalogueData, CatalogueVariables> = gql`
  query Catalogue($filter: ProductFilter, $sort: ProductSort, $after: String) {
    catalog(filter: $filter, sort: $sort, first: 24, after: $after) {
      totalCount
      edges {
        cursor
        node {
          ...TileFields
          averageRating
          reviewCount
          stock {
            total
            status
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
  ${tileFields}
`;

const productFields = gql`
  fragment ProductFields on Product {
    ...TileFields
    upc
    tagline
    description
    listPrice {
      amount
      currency
    }
    category {
      department
      slug
      name
    }
  }
`;

const stockFields = gql`
  fragment StockFields on Product {
    stock {
      total
      status
    }
  }
`;

const reviewFields = gql`
  fragment ReviewFields on Product {
    averageRating
    reviewCount
    reviews(first: 6, sort: MOST_HELPFUL) {
      id
      rating
      title
      body
      createdAt
      isVerifiedPurchase
      author {
        id
        username
        displayName
      }
    }
  }
`;

/** Selects every part like any other field. The graph declares which of them may be deferred. */
export const productQuery: TypedDocumentNode<ProductData, ProductVariables> = gql`
  query ProductPage($id: ID!) {
    product(id: $id) {
      ...ProductFields
      ...StockFields
      ...ReviewFields
      recommended(first: 4) {
        ...TileFields
      }
    }
  }
  ${productFields}
  ${stockFields}
  ${reviewFields}
  ${tileFields}
`;

/** The same operation with `@defer`: the page itself declares what may be deferred. */
export const deferredProductQuery: typeof productQuery = gql`
  query DeferredProductPage($id: ID!) {
    product(id: $id) {
      ...ProductFields
      ...StockFields @defer(label: "stock")
      ...ReviewFields @defer(label: "reviews")
      ... @defer(label: "recommendations") {
        recommended(first: 4) {
          ...TileFields
        }
      }
    }
  }
  ${productFields}
  ${stockFields}
  ${reviewFields}
  ${tileFields}
`;

/** An event for each change of the product's stock in any warehouse, with the stock after it. */
export const stockChangedSubscription: TypedDocumentNode<StockChangedData, StockVariables> = gql`
  subscription StockChanged($upc: String!) {
    stockChanged(upc: $upc) {
      item {
        product {
          upc
          ...StockFields
        }
      }
    }
  }
  ${stockFields}
`;

export const reserveStockMutation: TypedDocumentNode<ReserveStockData, StockVariables> = gql`
  mutation ReserveStock($upc: String!) {
    reserveStock(input: { upc: $upc }) {
      __typename
      ... on Reservation {
        items {
          product {
            upc
            ...StockFields
          }
        }
      }
      ... on OutOfStock {
        available
      }
    }
  }
  ${stockFields}
`;
