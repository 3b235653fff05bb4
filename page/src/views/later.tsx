/** What a view shows as long as it has not been built. */
export function Later({ name, words }: { name: string; words: string }) {
  return (
    <main id="main" class="stack">
      <h1>{name}</h1>
      <p>{words}</p>
    </main>
  );
}
