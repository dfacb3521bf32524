import { Link, useMode } from './navigation.tsx';
import type { CardProduct, TileProduct } from './operations.ts';
import { Price } from './Price.tsx';
import { ProductArt } from './ProductArt.tsx';
import { Rating } from './Rating.tsx';
import { productHref } from './routes.ts';
import { StockLevel } from './StockLevel.tsx';

interface ProductCardProps {
  /** A tile has neither a rating nor a stock. */
  readonly product: CardProduct | TileProduct;
  /** The heading level below the headings around the card. */
  readonly heading: 'h2' | 'h3';
}

export function ProductCard({ product, heading: Heading }: ProductCardProps) {
  const mode = useMode();
  return (
    <article className="card">
      <ProductArt seed={product.id} />
      <div className="card-body">
        <p className="eyebrow">{product.brand.name}</p>
        <Heading>
          <Link href={productHref(product.id, mode)}>{product.name}</Link>
        </Heading>
        {'stock' in product ? <Rating value={product.averageRating} count={product.reviewCount} /> : null}
        <div className="card-foot">
          <Price money={product.price} />
          {'stock' in product ? <StockLevel stock={product.stock} /> : null}
        </div>
      </div>
    </article>
  );
}

/** The outline of a card whose product has not arrived yet. */
export function ProductCardSkeleton() {
  return (
    <div className="card" aria-hidden="true">
      <div className="art bone" />
      <div className="card-body">
        <div className="bone line short" />
        <div className="bone line name" />
        <div className="bone line short" />
        <div className="bone line foot" />
      </div>
    </div>
  );
}
