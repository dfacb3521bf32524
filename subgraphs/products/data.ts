import { generateProducts } from '../shared/generate.ts';
import type { BrandRecord, CategoryRecord, MediaRecord, ProductRecord } from '../shared/records.ts';

export interface ProductsStore {
  readonly products: ProductRecord[];
  readonly categories: CategoryRecord[];
  readonly brands: BrandRecord[];
  findById(id: string): ProductRecord | null;
  findByUpc(upc: string): ProductRecord | null;
  findBrand(id: string): BrandRecord | null;
  findCategory(department: string, slug: string): CategoryRecord | null;
  findMedia(id: string): MediaRecord | null;
}

export function createStore(): ProductsStore {
  const { products, categories, brands } = generateProducts();
  const byId = new Map(products.map((product) => [product.id, product]));
  const byUpc = new Map(products.map((product) => [product.upc, product]));
  const brandById = new Map(brands.map((brand) => [brand.id, brand]));
  const mediaById = new Map(products.flatMap(({ media }) => media).map((media) => [media.id, media]));
  return {
    products,
    categories,
    brands,
    findById: (id) => byId.get(id) ?? null,
    findByUpc: (upc) => byUpc.get(upc) ?? null,
    findBrand: (id) => brandById.get(id) ?? null,
    findCategory: (department, slug) =>
      categories.find((category) => category.department === department && category.slug === slug) ?? null,
    findMedia: (id) => mediaById.get(id) ?? null,
  };
}
