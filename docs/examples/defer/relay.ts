import { meros } from 'meros/browser';
import { type FetchFunction, type GraphQLResponse, Observable } from 'relay-runtime';

type Part = Readonly<Record<string, unknown>> & { readonly extensions?: object };
type Payload = Part & { readonly hasNext?: boolean; readonly incremental?: readonly Part[] };

/** The fetch function of a Relay network for operations with `@defer`. Ends the request when its query is disposed of. */
export function fetchWithDefer(url: string): FetchFunction {
  return ({ id, text }, variables) =>
    Observable.create((sink) => {
      const abort = new AbortController();
      const run = async (): Promise<void> => {
        const response = await fetch(url, {
          method: 'POST',
          headers: {
            accept: 'multipart/mixed;deferSpec=20220824, application/json',
            'content-type': 'application/json',
          },
          // A persisted operation has an id, and no text.
          body: JSON.stringify({ doc_id: id, query: text, variables }),
          signal: abort.signal,
        });
        const parts = await meros<Payload>(response);
        if (parts instanceof Response) {
          sink.next((await parts.json()) as GraphQLResponse);
        } else {
          for await (const { body } of parts)
            for (const each of toResponses(body as Payload)) sink.next(each);
        }
        sink.complete();
      };
      run().catch((error: Error) => {
        if (!abort.signal.aborted) sink.error(error);
      });
      return () => abort.abort();
    });
}

/** Relay expects each deferred payload as a response of its own, and a flag on the last one. */
function toResponses({ incremental, hasNext = false, ...first }: Payload): GraphQLResponse[] {
  const responses = incremental ?? ('data' in first ? [first] : []);
  return responses.map((response, index) => ({
    ...response,
    extensions: { ...response.extensions, is_final: !hasNext && index === responses.length - 1 },
  })) as unknown as GraphQLResponse[];
}
