import { useEffect, useRef } from 'react';
import { Catalogue } from './Catalogue.tsx';
import { Link, useMode, usePathname } from './navigation.tsx';
import { ProductPage } from './ProductPage.tsx';
import { departmentHref, type Route, routeOf } from './routes.ts';
import { useOnline } from './useOnline.ts';

export function App() {
  const pathname = usePathname();
  const mode = useMode();
  const main = useRef<HTMLElement>(null);
  const shownPathname = useRef(pathname);

  // Navigation does not load a document, so this effect does what a load would do: scroll to the top and announce the
  // page to screen readers. The browser itself announces the first page.
  useEffect(() => {
    if (shownPathname.current === pathname) return;
    shownPathname.current = pathname;
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [pathname]);

  return (
    <>
      <a className="skip-link" href="#content">
        Skip to the content
      </a>
      <header className="masthead">
        <div className="frame">
          <Link className="brand" href={departmentHref(undefined, mode)}>
            <svg viewBox="0 0 32 32" aria-hidden="true">
              <rect width="32" height="32" rx="8" fill="#0b6b62" />
              <path
                d="M7 6c0 9 9 7 9 14v6M25 6c0 9-9 7-9 14"
                fill="none"
                stroke="#fff"
                strokeWidth="3"
                strokeLinecap="round"
              />
            </svg>
            Tributary Shop
          </Link>
          <p className="claim">Ready data arrives at once.</p>
        </div>
      </header>
      <main className="frame" id="content" ref={main} tabIndex={-1}>
        <RouteContent route={routeOf(pathname)} />
      </main>
      <footer className="colophon">
        <p className="frame">
          A demo shop. Products, stock, reviews, accounts and recommendations come from five servers through
          one gateway.
        </p>
      </footer>
      <OfflineNotice />
    </>
  );
}

function OfflineNotice() {
  const isOnline = useOnline();
  return (
    <div className="offline" role="status">
      {isOnline ? null : (
        <p>You are offline. What you see is from before; the page catches up when the connection is back.</p>
      )}
    </div>
  );
}

function RouteContent({ route }: { readonly route: Route }) {
  switch (route.kind) {
    case 'catalogue':
      return <Catalogue key={route.department} department={route.department} />;
    case 'product':
      return <ProductPage key={route.id} id={route.id} />;
    case 'nowhere':
      return (
        <>
          <title>Not found · Tributary Shop</title>
          <h1>Page not found</h1>
          <p>
            <Link href="/">See all products</Link>
          </p>
        </>
      );
  }
}
