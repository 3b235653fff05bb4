/** Return the files that were dropped, those within folders too, ordered by path. Hidden files are left out. */
export async function droppedFiles(dropped: DataTransfer): Promise<File[]> {
  // The entries must be taken before anything is awaited: afterwards the drop has ended.
  const entries = [...dropped.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  const plain = [...dropped.files];
  return entries.length > 0 ? (await Promise.all(entries.map(filesOf))).flat() : plain;
}

async function filesOf(entry: FileSystemEntry): Promise<File[]> {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile)
    return [
      await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)),
    ];
  const within: FileSystemEntry[] = [];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A reader gives at most a hundred entries at a time, and none at the end.
  for (let some = await read(reader); some.length > 0; some = await read(reader)) within.push(...some);
  within.sort((left, right) => (left.name < right.name ? -1 : 1));
  return (await Promise.all(within.map(filesOf))).flat();
}

function read(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}
