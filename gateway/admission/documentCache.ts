import { type DocumentNode, type Location, Token, TokenKind, visit } from 'graphql';
import { TextSizedCache } from './textSizedCache.ts';

/** Documents that Apollo Server has parsed and validated, without the tokens of their texts, which would be more than a
 *  quarter of their memory. */
export class DocumentCache extends TextSizedCache<DocumentNode> {
  constructor(maxDocuments: number, maxCharacters: number) {
    super(maxCharacters, (document) => document.loc?.source.body.length ?? 1, maxDocuments);
  }

  override set(key: string, document: DocumentNode): Promise<void> {
    releaseTokens(document);
    return super.set(key, document);
  }
}

/** Locations keep their source and the positions in it, which is all that errors need. */
function releaseTokens(document: DocumentNode): void {
  visit(document, {
    enter({ loc }: { readonly loc?: MutableLocation | undefined }) {
      if (loc === undefined) return;
      loc.startToken = noToken;
      loc.endToken = noToken;
    },
  });
}

type MutableLocation = { -readonly [Name in keyof Location]: Location[Name] };

/** In place of tokens: a location must have some. */
const noToken = new Token(TokenKind.SOF, 0, 0, 0, 0);
