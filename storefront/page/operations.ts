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

export interface CardProduct {
  readonly id: string;
  readonly name: string;
  readonly brand: { readonly id: string; readonly name: string };
  readonly price: Money;
  readonly averageRating: number | null;
  readonly reviewCount: number;
  readonly stock: Stock | null;
}

export interface Review {
  readonly id: string;
  readonly rating: number;
  readonly title: string | null;
  readonly body: string;
  readonly createdAt: string;
  readonly isVerifiedPurchase: boolean;
  readonly author: { readonly id: string; readonly displayName: string };
}

export interface ProductDetails extends CardProduct {
  readonly tagline: string | null;
  readonly description: string;
  readonly listPrice: Money | null;
  readonly category: { readonly department: Department; readonly slug: string; readonly name: string };
  readonly reviews: readonly Review[];
  /** Absent until the deferred part arrives; `null` while it is pending or after it failed. */
  readonly recommended?: readonly CardProduct[] | null;
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

const cardFields = gql`
  fragment CardFields on Product {
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
    averageRating
    reviewCount
    stock {
      total
      status
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
          ...CardFields
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
  ${cardFields}
`;

const productFields = gql`
  fragment ProductFields on Product {
    ...CardFields
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
    reviews(first: 6, sort: MOST_HELPFUL) {
      id
      rating
      title
      body
      createdAt
      isVerifiedPurchase
      author {
        id
        displayName
      }
    }
  }
  ${cardFields}
`;

/** The path of the recommendations in the response. */
export const recommendationsPath = 'product.recommended';

/** Selects the recommendations like any other field. The graph declares that they may be deferred. */
export const productQuery: TypedDocumentNode<ProductData, { readonly id: string }> = gql`
  query ProductPage($id: ID!) {
    product(id: $id) {
      ...ProductFields
      recommended(first: 4) {
        ...CardFields
      }
    }
  }
  ${productFields}
`;

/** The label of the deferred recommendations. */
export const recommendationsLabel = 'recommendations';

/** The same operation with `@defer`: the page itself declares that the recommendations may be deferred. */
export const deferredProductQuery: typeof productQuery = gql`
  query DeferredProductPage($id: ID!) {
    product(id: $id) {
      ...ProductFields
      ... @defer(label: "recommendations") {
        recommended(first: 4) {
          ...CardFields
        }
      }
    }
  }
  ${productFields}
`;
