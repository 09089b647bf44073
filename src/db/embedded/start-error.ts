/** The one error of this folder that a person is meant to read. */

/** Embedded PostgreSQL cannot start; the message is one plain sentence that says what to do, then log lines if any. */
export class EmbeddedStartError extends Error {
  override name = 'EmbeddedStartError'
}
