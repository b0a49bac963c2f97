/* The one thing of the plugin that Python cannot do in the App: place new fields in the sidebar.
   The App reads the groups of a dataset only when it opens the dataset. */
(() => {
  const { Operator, OperatorConfig, registerOperator } = window.__foo__;

  class PlaceFields extends Operator {
    get config() {
      return new OperatorConfig({
        name: "place_fields",
        label: "DOVER: place fields in the sidebar",
        unlisted: true,
      });
    }

    async execute({ params, state }) {
      const definition = window.__fos__.sidebarGroupsDefinition(false);
      const shown = await state.snapshot.getPromise(definition);
      const unfolded = new Map(shown.map(({ name, expanded }) => [name, expanded]));
      state.set(
        definition,
        params.groups.map((group) => ({
          ...group,
          expanded: params.ours.includes(group.name)
            ? group.expanded
            : (unfolded.get(group.name) ?? group.expanded),
        })),
      );
    }
  }

  registerOperator(PlaceFields, "@dover/quality");
})();
