import type { Finding } from '../../../../contracts/finding.ts';
import type { CheckReport } from '../../../../contracts/report/checkReport.ts';
import { createReport } from '../../../../contracts/report/createReport.ts';

const checked = { directory: 'contracts', subgraphs: 4, consumers: 1, operations: 12 };

export function reportOf(findings: readonly Finding[], strict = false): CheckReport {
  return createReport({ findings, strict, checked });
}

export const emptyReport = reportOf([]);

export const removedField: Finding = {
  rule: 'field-removed',
  severity: 'breaking',
  message: 'The field `Review.body` was removed.',
  advice: 'Deprecate it, and remove it when no operation selects it any more.',
  subgraph: 'reviews',
  coordinate: 'Review.body',
  location: { file: 'contracts/schemas/reviews.graphql', line: 12, column: 3 },
  affects: [
    {
      consumer: 'storefront',
      operation: 'ProductPage',
      location: { file: 'contracts/operations/storefront/productPage.graphql', line: 4, column: 7 },
      reason: 'selects it',
    },
  ],
  deployment: { order: 'expand and contract', steps: ['Deploy the new field.', 'Remove the old one.'] },
};

export const widenedRequires: Finding = {
  rule: 'requires-widened',
  severity: 'dangerous',
  message: '`@requires` asks for more: "price weight".',
  subgraph: 'inventory',
  coordinate: 'Product.shippingEstimate',
  location: { file: 'contracts/schemas/inventory.graphql', line: 8, column: 5 },
};

export const swappedKeys: Finding = {
  rule: 'deprecation-reason-changed',
  severity: 'safe',
  message: 'A deprecation reason changed.',
  subgraph: 'products',
  coordinate: 'Product',
  location: { file: 'contracts/schemas/products.graphql', line: 1, column: 1 },
};

export const unreachableSubgraph: Finding = {
  rule: 'subgraph-unreachable',
  severity: 'undecided',
  message: 'accounts does not answer.',
  subgraph: 'accounts',
};

export const namelessWaiver: Finding = {
  rule: 'waiver-incomplete',
  severity: 'misuse',
  message: 'The waiver has no owner.',
  location: { file: 'contracts/waivers.yaml', line: 3, column: 1 },
};

export const waivedRemoval: Finding = {
  ...removedField,
  coordinate: 'Review.title',
  message: 'The field `Review.title` was removed.',
  waivedBy: 'contracts/waivers.yaml:7, until 2027-01-31',
};

export const allFindings = [
  swappedKeys,
  waivedRemoval,
  widenedRequires,
  removedField,
  unreachableSubgraph,
  namelessWaiver,
];

export const everything = reportOf(allFindings);
