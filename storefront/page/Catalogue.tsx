import { NetworkStatus } from '@apollo/client';
import { useQuery } from '@apollo/client/react';
import { useEffect, useRef, useState } from 'react';
import { formatCount } from './format.ts';
import { Notice } from './Notice.tsx';
import { Link, useMode } from './navigation.tsx';
import { catalogueQuery, type Department, type ProductSort } from './operations.ts';
import { Placeholder } from './Placeholder.tsx';
import { ProductCard, ProductCardSkeleton } from './ProductCard.tsx';
import { departmentHref, departments } from './routes.ts';

const sorts: Readonly<Record<ProductSort, string>> = {
  NAME: 'Name',
  PRICE_ASCENDING: 'Price, lowest first',
  PRICE_DESCENDING: 'Price, highest first',
  NEWEST: 'Newest first',
};

interface CatalogueProps {
  /** `undefined`: all departments. */
  readonly department: Department | undefined;
}

export function Catalogue({ department }: CatalogueProps) {
  const [sort, setSort] = useState<ProductSort>('NAME');
  const title = (department && departments.get(department)) ?? 'All products';
  return (
    <>
      <title>{`${title} · Tributary Shop`}</title>
      <div className="catalogue-head">
        <h1>{title}</h1>
        <div className="catalogue-tools">
          <nav aria-label="Departments">
            <ul className="departments">
              <DepartmentLink department={undefined} name="All" current={department} />
              {[...departments].map(([each, name]) => (
                <DepartmentLink key={each} department={each} name={name} current={department} />
              ))}
            </ul>
          </nav>
          <label className="sort">
            Sort by
            <select value={sort} onChange={(event) => setSort(event.currentTarget.value as ProductSort)}>
              {Object.entries(sorts).map(([value, name]) => (
                <option key={value} value={value}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        </div>
      </div>
      <ProductGrid department={department} sort={sort} />
    </>
  );
}

interface DepartmentLinkProps {
  readonly department: Department | undefined;
  readonly name: string;
  readonly current: Department | undefined;
}

function DepartmentLink({ department, name, current }: DepartmentLinkProps) {
  const mode = useMode();
  return (
    <li>
      <Link
        href={departmentHref(department, mode)}
        aria-current={department === current ? 'page' : undefined}
      >
        {name}
      </Link>
    </li>
  );
}

function ProductGrid({ department, sort }: { department: Department | undefined; sort: ProductSort }) {
  const variables = { sort, ...(department === undefined ? {} : { filter: { department } }) };
  const { error, networkStatus, fetchMore, refetch } = useQuery(catalogueQuery, {
    variables,
    errorPolicy: 'all',
    notifyOnNetworkStatusChange: true,
  });
  // While pending fields of its first page arrive, the query above has no further pages.
  const { data } = useQuery(catalogueQuery, { variables, fetchPolicy: 'cache-only' });
  const catalog = data?.catalog;
  const [hasMoreFailed, setHasMoreFailed] = useState(false);
  const retry = (): void => void refetch().catch(keepNotice);
  useRetryWhile(error !== undefined && !catalog, retry);

  if (catalog === undefined || catalog === null) {
    const isFirst = networkStatus === NetworkStatus.loading || networkStatus === NetworkStatus.setVariables;
    if (isFirst) return <GridSkeleton />;
    return (
      <Notice
        text="The products could not be loaded."
        reason="The page tries again by itself, and shows them as soon as they answer."
        onRetry={retry}
      />
    );
  }

  const { edges, pageInfo, totalCount } = catalog;
  const isLoadingMore = networkStatus === NetworkStatus.fetchMore;
  const loadMore = async (): Promise<void> => {
    if (isLoadingMore) return;
    setHasMoreFailed(false);
    // Apollo Client does not report this failure as the error of the query.
    const more = await fetchMore({ variables: { after: pageInfo.endCursor } }).catch(() => undefined);
    setHasMoreFailed(!more?.data?.catalog);
  };
  return (
    <>
      <ul className="grid">
        {edges.map(({ node }) => (
          <li key={node.id}>
            <ProductCard product={node} heading="h2" />
          </li>
        ))}
      </ul>
      <div className="more">
        {error === undefined ? null : (
          <Notice text="Some ratings or stock levels are missing." onRetry={retry} />
        )}
        {hasMoreFailed ? (
          <Notice text="Further products could not be loaded." onRetry={() => void loadMore()} />
        ) : null}
        <p role="status">
          {formatCount(edges.length)} of {formatCount(totalCount)} products
        </p>
        {pageInfo.hasNextPage ? (
          <button type="button" aria-disabled={isLoadingMore} onClick={() => void loadMore()}>
            {isLoadingMore ? 'Loading…' : 'Show more'}
          </button>
        ) : null}
      </div>
    </>
  );
}

function GridSkeleton() {
  return (
    <Placeholder state="pending" text="The products take longer than usual…">
      <ul className="grid">
        {Array.from({ length: 8 }, (_, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: placeholders have no other identity
          <li key={index}>
            <ProductCardSkeleton />
          </li>
        ))}
      </ul>
    </Placeholder>
  );
}

const retryMs = 5000;

/** Calls `retry` regularly, and when the browser is online again. */
function useRetryWhile(hasFailed: boolean, retry: () => void): void {
  const newest = useRef(retry);
  newest.current = retry;
  useEffect(() => {
    if (!hasFailed) return;
    const call = (): void => newest.current();
    const timer = setInterval(call, retryMs);
    window.addEventListener('online', call);
    return () => {
      clearInterval(timer);
      window.removeEventListener('online', call);
    };
  }, [hasFailed]);
}

// The page already shows the failure as the error of the query.
function keepNotice(): void {}
