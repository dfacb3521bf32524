import { useQuery } from '@apollo/client/react';
import { useMemo, useSyncExternalStore } from 'react';
import { ArrivalLine } from './ArrivalLine.tsx';
import { ArrivalRecorder } from './arrivals.ts';
import { DeferralChoice } from './DeferralChoice.tsx';
import { Notice } from './Notice.tsx';
import { Link } from './navigation.tsx';
import {
  deferredProductQuery,
  type ProductDetails,
  productQuery,
  recommendationsLabel,
  recommendationsPath,
} from './operations.ts';
import { Price } from './Price.tsx';
import { ProductArt } from './ProductArt.tsx';
import { Rating } from './Rating.tsx';
import { Recommendations } from './Recommendations.tsx';
import { Reviews } from './Reviews.tsx';
import { type DeferralMode, departmentHref, departments } from './routes.ts';
import { StockLevel } from './StockLevel.tsx';

interface ProductPageProps {
  readonly id: string;
  readonly deferralMode: DeferralMode;
}

const queryVariants = {
  graph: { query: productQuery, enriched: [recommendationsPath], recommendations: recommendationsPath },
  page: { query: deferredProductQuery, enriched: [], recommendations: recommendationsLabel },
} as const;

export function ProductPage({ id, deferralMode }: ProductPageProps) {
  const { query, enriched, recommendations } = queryVariants[deferralMode];
  const context = useMemo(() => ({ arrivals: new ArrivalRecorder(enriched) }), [enriched]);
  const { later, isComplete } = useSyncExternalStore(
    context.arrivals.subscribe,
    context.arrivals.getSnapshot,
  );
  const { data, error, loading, refetch } = useQuery(query, {
    variables: { id },
    context,
    // The page shows how its parts arrive, so it fetches them on each visit. Cached recommendations would hide the
    // delay.
    fetchPolicy: 'no-cache',
    // A part that fails must not remove the parts that arrived.
    errorPolicy: 'all',
    notifyOnNetworkStatusChange: true,
  });
  // The page already shows the failure as the error of the query.
  const retry = (): void => void refetch().catch(() => {});

  const product = data?.product as ProductDetails | null | undefined;
  if (product === null || product === undefined) {
    if (loading) return <ProductSkeleton />;
    return (
      <>
        <title>Product · Tributary Shop</title>
        <BackLink />
        {error === undefined ? (
          <h1>This product is not in the shop</h1>
        ) : (
          <Notice text="The product could not be loaded." reason={error.message} onRetry={retry} />
        )}
      </>
    );
  }

  const department = product.category.department;
  const arrival = later.get(recommendations);
  // A payload arrives a moment before React shows it.
  const isComing = arrival === undefined ? !isComplete : !arrival.hasFailed;
  return (
    <>
      <title>{`${product.name} · Tributary Shop`}</title>
      <BackLink href={departmentHref(department)} name={departments.get(department)} />
      <article aria-labelledby="product-name">
        <div className="product">
          <ProductArt seed={product.id} />
          <div className="product-facts">
            <p className="eyebrow">
              {product.brand.name} · {product.category.name}
            </p>
            <h1 id="product-name">{product.name}</h1>
            <Rating value={product.averageRating} count={product.reviewCount} />
            {product.tagline === null ? null : <p className="tagline">{product.tagline}</p>}
            <Price money={product.price} before={product.listPrice} />
            <StockLevel stock={product.stock} />
            <p className="description">{product.description}</p>
            <ArrivalLine
              recorder={context.arrivals}
              first="Product, stock and reviews"
              later={{ [recommendations]: 'Recommendations' }}
            />
            <DeferralChoice id={product.id} deferralMode={deferralMode} />
          </div>
        </div>
        <Recommendations products={product.recommended} isPending={isComing} onRetry={retry} />
        <Reviews reviews={product.reviews} reviewCount={product.reviewCount} />
      </article>
    </>
  );
}

function BackLink({ href = '/', name = 'All products' }: { href?: string; name?: string | undefined }) {
  return (
    <Link className="back" href={href}>
      <span aria-hidden="true">← </span>
      {name}
    </Link>
  );
}

function ProductSkeleton() {
  return (
    <>
      <title>Product · Tributary Shop</title>
      <BackLink />
      <p className="visually-hidden" role="status">
        Loading the product…
      </p>
      <div className="product" aria-hidden="true">
        <div className="art bone" />
        <div className="product-facts">
          <div className="bone line short" />
          <div className="bone heading" />
          <div className="bone line short" />
          <div className="bone line wide" />
          <div className="bone line wide" />
        </div>
      </div>
    </>
  );
}
