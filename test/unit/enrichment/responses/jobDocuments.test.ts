import { expect, test } from '@jest/globals';
import { JobDocuments } from '../../../../gateway/enrichment/responses/jobDocuments.ts';
import { supergraphOf } from '../../../harness/scriptedServer.ts';

const text = '{ greeting }';

test('jobs with equal texts share the document of each supergraph', () => {
  const documents = new JobDocuments();
  const [first, second] = [
    supergraphOf('type Query { greeting: String }'),
    supergraphOf('type Query { greeting: Int }'),
  ];
  const document = documents.find(text, first);
  expect(document?.kind).toBe('Document');
  expect(documents.find(text, first)).toBe(document);
  expect(documents.find(text, second)).not.toBe(document);
});

test('a document that is not valid on the supergraph is not found, also if it is valid on another one', () => {
  const documents = new JobDocuments();
  expect(documents.find(text, supergraphOf('type Query { greeting: String }'))).toBeDefined();
  expect(documents.find(text, supergraphOf('type Query { other: String }'))).toBeUndefined();
});
