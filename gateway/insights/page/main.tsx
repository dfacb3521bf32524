/** @jsxImportSource preact */
// Runs in the browser. `bundle.ts` bundles this file; the gateway never imports it.
import { render } from 'preact';
import { App } from './App.tsx';

const root = document.getElementById('app');
if (root === null) throw new Error('The page has no element with the id app.');
root.replaceChildren();
render(<App />, root);
