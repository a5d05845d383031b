// A table whose rows stand in one property, so that a thousand cells cost one element. Vue escapes all that it shows.
export default {
  template: `
    <div class="scroll" tabindex="0" role="region" :aria-label="caption">
      <table class="rows grid-rows" :aria-label="caption">
        <thead>
          <tr>
            <th v-if="picking" scope="col"><span class="unseen">to compare</span></th>
            <th v-for="(column, at) in columns" :key="at" scope="col" :class="column.kind" :aria-sort="order(column)">
              <button v-if="column.sortable" type="button" class="sort" @click="$emit('arrange', at)">
                {{ column.title }}<span aria-hidden="true">{{ arrow(column) }}</span>
              </button>
              <template v-else>{{ column.title }}</template>
            </th>
          </tr>
        </thead>
        <tbody>
          <tr v-for="row in rows" :key="row.id" :class="{ picked: picked.includes(row.id) }">
            <td v-if="picking">
              <input type="checkbox" :checked="picked.includes(row.id)" :aria-label="'compare ' + row.name"
                     @change="$emit('pick', row.id, $event.target.checked)">
            </td>
            <td v-for="(cell, at) in row.cells" :key="at" :class="columns[at].kind" :title="cell.length > 40 ? cell : null">
              <a v-if="at === 0 && row.href" :href="row.href">{{ cell }}</a>
              <button v-else-if="at === 0 && opening" type="button" class="sort" @click="$emit('enter', row.id)">{{ cell }}</button>
              <span v-else-if="at === 1 && row.sign" class="badge" :class="row.look"><span aria-hidden="true">{{ row.sign }}</span>{{ cell }}</span>
              <template v-else>{{ cell }}</template>
            </td>
          </tr>
        </tbody>
      </table>
    </div>`,
  props: { caption: String, columns: Array, rows: Array, picked: Array, picking: Boolean, opening: Boolean },
  emits: ["arrange", "pick", "enter"],
  methods: {
    order(column) {
      return column.sorted === 0 ? null : column.sorted > 0 ? "ascending" : "descending";
    },
    arrow(column) {
      return column.sorted === 0 ? "" : column.sorted > 0 ? " ▲" : " ▼";
    },
  },
};
