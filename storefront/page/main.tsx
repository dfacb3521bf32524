import { ApolloProvider } from '@apollo/client/react';
import { createRoot } from 'react-dom/client';
import { App } from './App.tsx';
import { createShopClient } from './shopClient.ts';

const root = document.getElementById('root');
if (root === null) throw new Error('The page has no #root element.');

createRoot(root).render(
  <ApolloProvider client={createShopClient('/graphql')}>
    <App />
  </ApolloProvider>,
);
