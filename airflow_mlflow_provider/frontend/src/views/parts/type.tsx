/** The name of a type without its module, which shows when it is pointed at. */
export function TypeName({ name }: { name: string }) {
  const short = name.slice(name.lastIndexOf(".") + 1);
  return <code title={name}>{short || name}</code>;
}
