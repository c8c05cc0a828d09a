/** What tries to become part of a page, and to run there: each would set `executed` or open a dialog. */
export const IMG = '<img src=x onerror="globalThis.executed=1;alert(1)">'
export const SCRIPT = '</script><script>globalThis.executed=1</script>'
export const LINK = 'javascript:globalThis.executed=1'
export const ATTRIBUTE = '"><svg onload=globalThis.executed=1>'
