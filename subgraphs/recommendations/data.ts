import { generateRecommendations } from '../shared/generate.ts';
import type { ProductReference, RecommendationsData, Suggestion } from '../shared/records.ts';

type ProductRecommendations = RecommendationsData['products'][number];
type CategoryTrend = RecommendationsData['categories'][number];

export interface RecommendationsStore {
  readonly trends: readonly CategoryTrend[];
  /** Finds a product by the key that the reference has. */
  findProduct(reference: Partial<ProductReference>): ProductRecommendations | null;
  findTrend(department: string, slug: string): CategoryTrend | null;
  listSuggestions(username: string): readonly Suggestion[];
}

export function createStore(): RecommendationsStore {
  const { categories, products, accounts } = generateRecommendations();
  const byId = new Map(products.map((product) => [product.id, product]));
  const byUpc = new Map(products.map((product) => [product.upc, product]));
  const suggestions = new Map(accounts.map((account) => [account.username, account.suggestions]));
  return {
    trends: categories,
    findProduct: ({ id, upc }) => (id === undefined ? byUpc.get(upc ?? '') : byId.get(id)) ?? null,
    findTrend: (department, slug) =>
      categories.find((category) => category.department === department && category.slug === slug) ?? null,
    listSuggestions: (username) => suggestions.get(username) ?? [],
  };
}
