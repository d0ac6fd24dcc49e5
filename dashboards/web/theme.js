// Before anything is drawn: dark or light as this browser was told last, or as the system says.
{
  let told = null;
  try {
    told = localStorage.getItem("moorline-theme");
  } catch {
    // A browser that keeps nothing follows the system.
  }
  if (told === "dark" || told === "light") document.documentElement.dataset.theme = told;
}
