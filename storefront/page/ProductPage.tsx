import { useApolloClient } from '@apollo/client/react';
import {
  type Dispatch,
  type SetStateAction,
  useEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from 'react';
import { clearCache } from './demoApi.ts';
import { FaultPanel } from './FaultPanel.tsx';
import { ModeChoice } from './ModeChoice.tsx';
import { type Measurement, measureLoad } from './measureLoad.ts';
import { modeNames } from './modes.ts';
import { Notice } from './Notice.tsx';
import { Link, useMode } from './navigation.tsx';
import type { ProductDetails } from './operations.ts';
import { Price } from './Price.tsx';
import { ProductArt } from './ProductArt.tsx';
import { ProductLoader, type ProductView } from './productLoader.ts';
import { Rating } from './Rating.tsx';
import { Recommendations } from './Recommendations.tsx';
import { Reviews } from './Reviews.tsx';
import { departmentHref, departments, type LoadingMode } from './routes.ts';
import { StockPanel } from './StockPanel.tsx';
import { Timeline } from './Timeline.tsx';
import { useDemo } from './useDemo.ts';

type Measurements = Readonly<Partial<Record<LoadingMode, Measurement>>>;

/** One load of the page in a mode. `compared`: other modes, which load at the same time to be measured. */
interface Run {
  readonly mode: LoadingMode;
  readonly compared: readonly LoadingMode[];
}

export function ProductPage({ id }: { readonly id: string }) {
  const mode = useMode();
  const [run, setRun] = useState<Run>({ mode, compared: [] });
  const [measurements, setMeasurements] = useState<Measurements>({});
  const loader = useLoader(id, mode, run, setMeasurements);
  const view = useSyncExternalStore(loader.subscribe, loader.getSnapshot);
  const [isPanelOpen, setIsPanelOpen] = useState(false);
  const demo = useDemo(isPanelOpen);

  const load = (compared: readonly LoadingMode[] = []): void => setRun({ mode, compared });
  const loadCold = async (compared?: readonly LoadingMode[]): Promise<void> => {
    if (await demo.run(clearCache)) load(compared);
  };
  const compare = (): void => {
    const compared = modeNames.filter((each) => each !== mode);
    if (demo.state === undefined) load(compared);
    else void loadCold(compared);
  };

  return (
    <>
      <section className="load-controls" aria-label="How this page loads">
        <ModeChoice id={id} current={mode} measurements={measurements} />
        <div className="load-actions">
          <button type="button" className="primary" onClick={compare}>
            Race all three
          </button>
          <button type="button" onClick={() => load()}>
            Load again
          </button>
          {demo.state === undefined ? null : (
            <button type="button" title="Empties the gateway's cache first" onClick={() => void loadCold()}>
              Load cold
            </button>
          )}
          <p className="legend">
            <span className="is-empty">nothing to see</span>
            <span className="is-useful">product visible, the rest arrives</span>
          </p>
        </div>
        {demo.error === undefined || isPanelOpen ? null : (
          <p className="faults-error" role="alert">
            {demo.error}
          </p>
        )}
      </section>
      <div className="product-layout">
        <ProductMain view={view} loader={loader} mode={mode} />
        <aside className="load-details" aria-label="What the page received">
          <Timeline log={loader.log} />
          {demo.state === undefined ? null : (
            <FaultPanel
              demo={demo}
              state={demo.state}
              isOpen={isPanelOpen}
              onToggle={setIsPanelOpen}
              onChange={(change) => (change === 'broken' ? void loadCold() : loader.retry())}
            />
          )}
        </aside>
        <SlowParts view={view} loader={loader} />
      </div>
    </>
  );
}

/** Loads the product again for each run and each mode, and measures every load. */
function useLoader(
  id: string,
  mode: LoadingMode,
  run: Run,
  setMeasurements: Dispatch<SetStateAction<Measurements>>,
): ProductLoader {
  const client = useApolloClient();
  // biome-ignore lint/correctness/useExhaustiveDependencies: each run has a loader of its own
  const loader = useMemo(() => new ProductLoader(client, id, mode), [client, id, mode, run]);
  useEffect(() => {
    // The comparison is over when the visitor chooses another mode.
    const others = run.mode === mode ? run.compared : [];
    const compared = others.map((each) => [each, new ProductLoader(client, id, each)] as const);
    const all = [[mode, loader] as const, ...compared];
    for (const [each, { log }] of all) {
      log.subscribe(() =>
        setMeasurements((former) => ({ ...former, [each]: measureLoad(log.getSnapshot()) })),
      );
    }
    for (const [, each] of all) each.start();
    return () => {
      for (const [, each] of all) each.stop();
    };
  }, [client, id, mode, run, loader, setMeasurements]);
  return loader;
}

interface ProductViewProps {
  readonly view: ProductView;
  readonly loader: ProductLoader;
}

function ProductMain({ view, loader, mode }: ProductViewProps & { readonly mode: LoadingMode }) {
  const { product, parts } = view;
  if (product === null || product === undefined) {
    return (
      <div>
        <title>Product · Tributary Shop</title>
        <BackLink />
        {product === null ? null : <h1 className="visually-hidden">Product</h1>}
        {product === null && parts.product === 'arrived' ? (
          <h1>This product is not in the shop</h1>
        ) : parts.product === 'failed' ? (
          <MissingProduct onRetry={() => loader.retry()} />
        ) : (
          <ProductSkeleton mode={mode} />
        )}
      </div>
    );
  }
  const { department } = product.category;
  return (
    <div>
      <title>{`${product.name} · Tributary Shop`}</title>
      <BackLink href={departmentHref(department, mode)} name={departments.get(department)} />
      <div className="product">
        <ProductArt seed={product.id} />
        <ProductFacts product={product} view={view} loader={loader} />
      </div>
    </div>
  );
}

function SlowParts({ view: { product, parts }, loader }: ProductViewProps) {
  if (product === null || product === undefined) return null;
  const retry = (): void => loader.retry();
  return (
    <>
      <Recommendations products={product.recommended} state={parts.recommendations} onRetry={retry} />
      <Reviews
        reviews={product.reviews}
        reviewCount={product.reviewCount}
        state={parts.reviews}
        onRetry={retry}
      />
    </>
  );
}

function ProductFacts({ product, view, loader }: ProductViewProps & { readonly product: ProductDetails }) {
  return (
    <div className="product-facts">
      <p className="eyebrow">
        {product.brand.name} · {product.category.name}
      </p>
      <h1>{product.name}</h1>
      {view.parts.rating === 'pending' ? (
        <p className="rating" role="status">
          The rating follows…
        </p>
      ) : (
        <Rating value={product.averageRating} count={product.reviewCount ?? null} />
      )}
      <Price money={product.price} before={product.listPrice} />
      <StockPanel upc={product.upc} stock={product.stock} state={view.parts.stock} loader={loader} />
      {product.tagline === null ? null : <p className="tagline">{product.tagline}</p>}
      <p className="description">{product.description}</p>
    </div>
  );
}

function BackLink({ href, name = 'All products' }: { href?: string; name?: string | undefined }) {
  const mode = useMode();
  return (
    <Link className="back" href={href ?? departmentHref(undefined, mode)}>
      <span aria-hidden="true">← </span>
      {name}
    </Link>
  );
}

function MissingProduct({ onRetry }: { readonly onRetry: () => void }) {
  return (
    <Notice
      text="The product could not be loaded."
      reason="The page tries again by itself, and shows the product as soon as it answers."
      onRetry={onRetry}
    />
  );
}

function ProductSkeleton({ mode }: { readonly mode: LoadingMode }) {
  return (
    <div className="product">
      <div className="art bone" aria-hidden="true" />
      <div className="product-facts">
        <div className="bone line short" aria-hidden="true" />
        <div className="bone heading" aria-hidden="true" />
        <div className="bone line short" aria-hidden="true" />
        <p className="skeleton-words" role="status">
          {mode === 'wait'
            ? 'Waiting for everything: this mode shows nothing until the slowest part has answered.'
            : 'Waiting for the product itself. Nothing else is awaited.'}
        </p>
      </div>
    </div>
  );
}
