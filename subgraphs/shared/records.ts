import type { Country, Department } from './vocabulary.ts';

/** The records of the demo. Each subgraph has data of its own, because no subgraph reads another's data. */

export interface AccountRecord {
  id: string;
  username: string;
  displayName: string;
  email: string;
  role: 'CUSTOMER' | 'MODERATOR' | 'STAFF';
  country: Country;
  joinedAt: string;
  loyaltyPoints: number;
  preferences: Record<string, unknown>;
}

export interface AccountsData {
  accounts: AccountRecord[];
}

export interface BrandRecord {
  id: string;
  name: string;
  country: Country;
  founded: number;
  warrantyContact: string | null;
}

export interface CategoryRecord {
  department: Department;
  slug: string;
  name: string;
  description: string;
}

export type MediaRecord =
  | { __typename: 'Image'; id: string; alt: string; width: number; height: number }
  | { __typename: 'Video'; id: string; alt: string; durationSeconds: number };

export interface ProductRecord {
  id: string;
  upc: string;
  name: string;
  tagline: string | null;
  description: string;
  brandId: string;
  department: Department;
  categorySlug: string;
  priceCents: number;
  listPriceCents: number | null;
  weightGrams: number;
  /** In centimetres. */
  dimensions: { length: number; width: number; height: number } | null;
  attributes: Record<string, unknown>;
  tags: string[];
  sizeChart: string[][] | null;
  media: MediaRecord[];
  warrantyMonths: number | null;
  /** The value of the products subgraph from before inventory took over `inStock`; often wrong on purpose. */
  lastKnownInStock: boolean;
  sold: number;
  releasedAt: string;
}

export interface ProductsData {
  brands: BrandRecord[];
  categories: CategoryRecord[];
  products: ProductRecord[];
}

export interface WarehouseRecord {
  code: string;
  city: string;
  country: Country;
}

export interface StockRecord {
  upc: string;
  warehouseCode: string;
  quantity: number;
}

export interface InventoryData {
  warehouses: WarehouseRecord[];
  stock: StockRecord[];
}

export interface ReviewRecord {
  id: string;
  productId: string;
  authorId: string;
  rating: number;
  title: string | null;
  body: string;
  helpfulVotes: number;
  isVerifiedPurchase: boolean;
  mediaIds: string[];
  createdAt: string;
}

export interface AnswerRecord {
  id: string;
  authorId: string;
  body: string;
  createdAt: string;
}

export interface QuestionRecord extends AnswerRecord {
  productId: string;
  answers: AnswerRecord[];
}

export interface ReviewsData {
  authors: { id: string; username: string }[];
  products: { id: string }[];
  reviews: ReviewRecord[];
  questions: QuestionRecord[];
  likes: { mediaId: string; accountIds: string[] }[];
}

export interface ProductReference {
  id: string;
  upc: string;
}

export interface Suggestion {
  product: ProductReference;
  reason: 'SIMILAR' | 'BOUGHT_TOGETHER' | 'TRENDING';
  score: number;
}

export interface RecommendationsData {
  categories: { department: Department; slug: string; name: string; trending: ProductReference[] }[];
  products: (ProductReference & { recommended: ProductReference[]; boughtTogether: ProductReference[][] })[];
  accounts: { username: string; suggestions: Suggestion[] }[];
}
