import type {
  CancelSubgraphCall,
  SubgraphClient,
  SubgraphReceiver,
  SubgraphRequest,
  SubgraphResponse,
} from '../../gateway/subgraphs/subgraphClient.ts';
import { waitForTurns } from './waitForTurns.ts';

/** A call that the test responds to. */
interface FakeCall {
  readonly request: SubgraphRequest;
  readonly body: { readonly query: string; readonly variables: Readonly<Record<string, unknown>> };
  readonly receiver: SubgraphReceiver;
  isCancelled: boolean;
  answer(response: Partial<SubgraphResponse>): void;
}

/** Records calls instead of sending them. */
export class FakeSubgraphClient implements SubgraphClient {
  readonly calls: FakeCall[] = [];

  send(request: SubgraphRequest, receiver: SubgraphReceiver): CancelSubgraphCall {
    const call: FakeCall = {
      request,
      body: JSON.parse(request.body) as FakeCall['body'],
      receiver,
      isCancelled: false,
      answer: (response) =>
        receiver.onResponse({
          data: undefined,
          errors: undefined,
          extensions: undefined,
          cacheControl: undefined,
          age: undefined,
          isEscapeFree: true,
          ...response,
        }),
    };
    this.calls.push(call);
    return () => {
      call.isCancelled = true;
    };
  }

  /** Responds to a call, and waits for what the response leads to. */
  async answer(index: number, response: Partial<SubgraphResponse>, turns = 1): Promise<void> {
    this.calls[index]?.answer(response);
    await waitForTurns(turns);
  }

  async close(): Promise<void> {}
}
